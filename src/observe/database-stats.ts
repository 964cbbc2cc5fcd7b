/** Counters of one database on one worker: plain numbers that only grow, published when asked for. Times in microseconds. */
export class DatabaseStats {
  assignments = 0
  transactions = 0
  queries = 0
  bytesReceived = 0
  bytesSent = 0
  transactionTimeUs = 0
  queryTimeUs = 0
  waitTimeUs = 0
  clientParses = 0
  serverParses = 0
  binds = 0
  logins = 0
  readsOnReplicas = 0
  readsOnPrimaries = 0
  refusals = 0
  errors = 0
}
