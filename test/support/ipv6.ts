/** Whether this machine has IPv6 on loopback; containers often have not. */
import { networkInterfaces } from 'node:os';

export const HAS_IPV6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1');
