/** The test rig: etcd on demand, its faults, and the small tools around it. */
export { CertificateAuthority, type KeyPair, type ServerCertificateOptions } from './etcd/certificates.js';
export { type AuthAdmin, type AuthOptions, type Credentials, type JwtIssuer, type Permission } from './etcd/auth.js';
export { type EtcdBinaries } from './etcd/binaries.js';
export { type Etcd, type MemberStatus } from './etcd/cluster.js';
export { findEtcd, type FindOptions } from './etcd/find.js';
export { type Gateway, GatewayError, type StoredEvent, type StoredKey } from './etcd/gateway.js';
export { type Member } from './etcd/member.js';
export { freePorts } from './etcd/ports.js';
export { startCluster, startEtcd, type StartClusterOptions, type StartOneOptions } from './etcd/start.js';
export { type ClusterTls, type TlsOptions } from './etcd/tls.js';
export { type Child, startChild, type ChildOptions } from './child.js';
export { eventually, type EventuallyOptions } from './eventually.js';
export { type Exit } from './guarded-process.js';
export { listening } from './listening.js';
export { type Direction, type MendOptions, startProxy, type TcpProxy } from './tcp-proxy.js';
