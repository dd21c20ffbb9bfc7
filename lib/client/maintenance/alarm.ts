/** Alarms: what they are, and what is asked about them. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { requireMemberId } from '../member-id.js';
import type * as wire from '../rpc/generated/messages.js';
import type { ResponseHeader } from '../rpc/response-header.js';

/** An alarm a member has raised. */
export interface Alarm {
  readonly memberId: string;
  /** `NOSPACE`: the quota is reached, writes are refused. `CORRUPT`: members differ, writes are refused. */
  readonly alarm: wire.AlarmMember['alarm'];
}

/** What was armed or disarmed. */
export interface AlarmResponse {
  /** `undefined` on etcd 3.4, which leaves it out. */
  readonly header: ResponseHeader | undefined;
  /** The alarms that changed; empty when there was nothing to change. */
  readonly alarms: readonly Alarm[];
}

/**
 * A request about one alarm.
 *
 * @throws {EtcdInvalidArgumentError} when the member or the kind is missing: on the wire that means "any".
 */
export function toAlarmRequest(action: wire.AlarmAction, { memberId, alarm }: Alarm): wire.AlarmRequest {
  if (typeof alarm !== 'string' || alarm === 'NONE') {
    throw new EtcdInvalidArgumentError('alarm', "must be 'NOSPACE' or 'CORRUPT'", alarm);
  }
  return { action, memberID: requireMemberId(memberId), alarm };
}

export function toAlarmResponse({ header, alarms }: wire.AlarmResponse): AlarmResponse {
  return {
    header: header ?? undefined,
    alarms: alarms.map(({ memberID, alarm }) => ({ memberId: memberID, alarm })),
  };
}
