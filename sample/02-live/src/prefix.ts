/** Which keys the app shows. */

/** Every key of the app begins with it. */
export const PREFIX = 'live/';
