/** Replaced by the bundler. */
declare const REGI_COMMIT: string | undefined;

/** The version of package.json; a test compares the two. */
export const VERSION = '0.1.0';

/** The commit that was built, with `-dirty` if files differed from it; empty if unknown. */
export const COMMIT = typeof REGI_COMMIT === 'undefined' ? '' : REGI_COMMIT;
