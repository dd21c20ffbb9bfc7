/** The suite of `../kv-cas.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../kv-cas.spec.js'));
