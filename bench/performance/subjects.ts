/** The clients that are measured, and what each can do. */
import type { Workload } from './load/protocol.js';

export type SubjectName =
  | 'nest-etcd'
  | 'nest-etcd-single'
  | 'nest-etcd-scan'
  | 'nest-etcd-grpc-js'
  | 'nest-etcd-metrics'
  | 'etcd3'
  | 'grpc-js'
  | 'go';

/** A client, or a way to use it. */
export interface Subject {
  readonly title: string;
  /** What it cannot do, and why. */
  readonly cannot: Partial<Record<Workload, string>>;
}

const NO_VIEW = 'keeps no range in memory';

export const SUBJECTS: Readonly<Record<SubjectName, Subject>> = {
  'nest-etcd': { title: 'nest-etcd', cannot: {} },
  'nest-etcd-single': { title: 'nest-etcd, single reads', cannot: {} },
  'nest-etcd-scan': { title: 'nest-etcd, `scan`', cannot: {} },
  'nest-etcd-grpc-js': { title: 'nest-etcd, grpc-js transport', cannot: {} },
  'nest-etcd-metrics': { title: 'nest-etcd, metrics', cannot: {} },
  etcd3: { title: 'etcd3', cannot: { view: NO_VIEW } },
  'grpc-js': {
    title: 'grpc-js, generated',
    cannot: { view: NO_VIEW, leases: 'has the call that renews a lease, and nothing that makes it in time' },
  },
  go: { title: 'Go client', cannot: { view: NO_VIEW } },
};

export const SUBJECT_NAMES = Object.keys(SUBJECTS) as SubjectName[];

export function isSubject(name: string): name is SubjectName {
  return name in SUBJECTS;
}
