/** The files of risk data in a payload. */

/** It sorts before `originals/`, so that it is found at the archive's start. */
export const joinedName = "joined.ndjson";
export const providersName = "providers.json";
export const rejectedName = "rejected.ndjson";
