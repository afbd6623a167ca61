// Package inside decides what to do inside the members of a guest cluster: from what is wanted and what the members told,
// what to do now. It is pure and total, by the rules of package plan.
//
// What is wanted comes resolved, with the ids of what was made before beside it. Record fills in the ids that a snapshot
// tells for the first time; Plan relies on recorded ids alone, so that one goes before the other:
//
//	want = inside.Record(want, seen)   // to be kept in status
//	p := inside.Plan(want, seen, hosts)
//
// What the members are asked is what Features, ComputerNames, Container, ValidationRun and Validator say; the domain is asked while
// AsksDomain, which is so for a deletion and for members that leave too.
//
// While the plan of a deletion has steps or waits, something inside or in the domain is still to be undone; how long that may
// take is for who keeps time.
//
// Every step is looked at before it is done, and is safe to do again. The rules beside those of package plan, each a
// property test:
//
//   - a member that does not answer is unknown: neither down, nor without a cluster;
//   - no disk is initialised that is not raw on every member, or whose GUID is recorded;
//   - a cluster is formed once;
//   - nodes come and go one at a time, and only while all that stay are up; none is restarted.
package inside
