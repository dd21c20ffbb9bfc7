/** The suite of `../kv-scan.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../kv-scan.spec.js'));
