/** All scenarios by name, in the order of the table. */
import { CLIENT_SCENARIOS } from './client-scenarios.js';
import type { Scenario } from './figures.js';
import { MEMBER_SCENARIOS } from './member-scenarios.js';

export const SCENARIOS: Readonly<Record<string, Scenario>> = { ...MEMBER_SCENARIOS, ...CLIENT_SCENARIOS };
