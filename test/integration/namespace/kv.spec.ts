/** The suite of `../kv.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../kv.spec.js'));
