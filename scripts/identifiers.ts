/** Which fields of the protocol are identifiers. */

/**
 * The 64-bit fields that name something (a cluster, a member, a lease) rather than count: they use all 64 bits, so they
 * become strings of hex. Every other 64-bit field becomes a number. The protocol does not tell the two apart.
 */
export const IDENTIFIERS: Readonly<Record<string, readonly string[]>> = {
  'mvccpb.KeyValue': ['lease'],
  'etcdserverpb.ResponseHeader': ['clusterId', 'memberId'],
  'etcdserverpb.PutRequest': ['lease'],
  'etcdserverpb.Compare': ['lease'],
  'etcdserverpb.LeaseGrantRequest': ['ID'],
  'etcdserverpb.LeaseGrantResponse': ['ID'],
  'etcdserverpb.LeaseRevokeRequest': ['ID'],
  'etcdserverpb.LeaseCheckpoint': ['ID'],
  'etcdserverpb.LeaseKeepAliveRequest': ['ID'],
  'etcdserverpb.LeaseKeepAliveResponse': ['ID'],
  'etcdserverpb.LeaseTimeToLiveRequest': ['ID'],
  'etcdserverpb.LeaseTimeToLiveResponse': ['ID'],
  'etcdserverpb.LeaseStatus': ['ID'],
  'etcdserverpb.Member': ['ID'],
  'etcdserverpb.MemberRemoveRequest': ['ID'],
  'etcdserverpb.MemberUpdateRequest': ['ID'],
  'etcdserverpb.MemberPromoteRequest': ['ID'],
  'etcdserverpb.MoveLeaderRequest': ['targetID'],
  'etcdserverpb.AlarmRequest': ['memberID'],
  'etcdserverpb.AlarmMember': ['memberID'],
  'etcdserverpb.StatusResponse': ['leader'],
  'v3lockpb.LockRequest': ['lease'],
  'v3electionpb.CampaignRequest': ['lease'],
  'v3electionpb.LeaderKey': ['lease'],
};
