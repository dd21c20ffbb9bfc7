/** A running etcd of one member or several, and all that a test may do to it. */
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { type EtcdBinaries } from './binaries.js';
import { memberArguments, type FlagValue, type MemberPlace } from './flags.js';
import { Gateway, hexId } from './gateway.js';
import { Member, PortTakenError } from './member.js';
import { freePorts } from './ports.js';
import { run } from './run.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';
