/** The suite of `../kv-txn.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../kv-txn.spec.js'));
