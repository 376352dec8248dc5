import type { SeekableBytes } from '../bytes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { RemoteRepository } from './remote-repository.ts';
import type { UploadSession } from './upload-session.ts';

/** What to upload and where. */
export interface Upload {
  readonly repository: RemoteRepository;
  readonly target: Descriptor;
  /** Verified for `target`. */
  readonly content: SeekableBytes;
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/** How far an upload has come in its session. */
export interface UploadState {
  session: UploadSession;
  /** Bytes that the registry said it had when this attempt began. */
  readonly position: number;
  /** The last byte that was given away, and so the most that the registry can have. */
  given: number;
}
