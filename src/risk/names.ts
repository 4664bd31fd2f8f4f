/** The files of risk data in a payload. */

/** It sorts before `originals/`, so it is at the start of the archive. */
export const joinedName = "joined.ndjson";
export const providersName = "providers.json";
export const rejectedName = "rejected.ndjson";
