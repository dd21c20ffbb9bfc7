/** The suite of `../watch.spec.ts`, inside a namespace. */
import { runInside } from './inside.js';

await runInside(() => import('../watch.spec.js'));
