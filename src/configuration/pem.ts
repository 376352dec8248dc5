import { X509Certificate } from 'node:crypto';

/** Whether a text holds a PEM certificate that can be read. */
export function hasCertificate(text: string): boolean {
  const [block] = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/.exec(text) ?? [];
  if (block === undefined) return false;
  try {
    return new X509Certificate(block).subject !== undefined;
  } catch {
    return false;
  }
}
