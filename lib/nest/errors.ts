/** What is wrong with how the Nest module is set up, and why an app that insists on etcd cannot start. */
import { EtcdError, EtcdUnavailableError, type EndpointFailure } from '../client/index.js';

/** The module is not set up as it has to be. The message says what to write instead. Thrown while the app starts. */
export class EtcdModuleError extends EtcdError {
  readonly code = 'ETCD_MODULE';
}

/** With `connect: 'eager'`: etcd could not be used while the app started. `cause` is what the client said. */
export class EtcdStartError extends EtcdError {
  readonly code = 'ETCD_START';
  /** Each endpoint that could not be used, and why; empty when one was reached and etcd refused. */
  readonly endpoints: readonly EndpointFailure[];

  /** @param clientName the client's name. */
  constructor(
    readonly clientName: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `the etcd client "${clientName}" has connect: 'eager' and cannot be used: ${reason}. ` +
        "Start etcd or mend its options; with connect: 'lazy' the app starts without it",
      { cause },
    );
    this.endpoints = cause instanceof EtcdUnavailableError ? cause.endpoints : [];
  }
}

/** A method with `@LeaderOnly(…, { onFollower: 'throw' })` was called while this instance of the app does not lead. It was not run. */
export class EtcdFollowerError extends EtcdError {
  readonly code = 'ETCD_FOLLOWER';

  constructor(
    /** The election's name. */
    readonly electionName: string,
    label: string,
  ) {
    super(
      `${label} runs only where election "${electionName}" is led, and this instance of the app does not lead it now`,
    );
  }
}
