/** The suite of `../lease.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../lease.spec.js'));
