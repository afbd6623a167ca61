package apivalidation

import (
	"fmt"
	"strings"
)

const (
	tooLongName    = "member names are <name>-<n> and must fit NetBIOS's 15 characters: shorten the name, or name the members in spec.members.named"
	memberSentence = "a member's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as SQL-A"
)

// numbered is the format with 1 to n, joined.
func numbered(n int, format, separator string) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(format, i+1)
	}
	return strings.Join(texts, separator)
}

func named(names ...string) change {
	return change("spec: {members: {type: Named, count: null, named: [{name: " + strings.Join(names, "}, {name: ") + "}]}}")
}

func namedMany(n int) change {
	return named(strings.Split(numbered(n, "M-%d", ","), ",")...)
}

var _ = declare("GuestCluster", map[string]rule{
	"metadata.name is a label": {
		manifest: guestCluster,
		accepted: []change{named("SQL-A", "SQL-B") + change("\nmetadata: {name: "+strings.Repeat("a", 63)+"}")},
		refused:  []change{named("SQL-A", "SQL-B") + change("\nmetadata: {name: "+strings.Repeat("a", 64)+"}")},
		path:     "metadata",
		message:  "metadata.name becomes a label and has at most 63 characters: shorten it",
	},
	"members are named after metadata.name": {
		manifest: guestCluster,
		accepted: []change{
			`{metadata: {name: abcdefghijklm}, spec: {members: {count: 9}}}`,
			`{metadata: {name: abcdefghijkl}, spec: {members: {count: 10}}}`,
			named("SQL-A", "SQL-B") + "\nmetadata: {name: abcdefghijklmnopq}",
		},
		refused: []change{
			`{metadata: {name: abcdefghijklmn}, spec: {members: {count: 2}}}`,
			`{metadata: {name: abcdefghijklm}, spec: {members: {count: 10}}}`,
		},
		path:    "spec.members",
		message: tooLongName,
	},
	"more members make longer names": {
		manifest: guestCluster,
		from:     []change{`{metadata: {name: abcdefghijklm}, spec: {members: {count: 8}}}`},
		accepted: []change{`spec: {members: {count: 9}}`},
		refused:  []change{`spec: {members: {count: 10}}`},
		path:     "spec.members",
		message:  tooLongName,
	},
	"no dots in members' names": {
		manifest: guestCluster,
		accepted: []change{named("SQL-A", "SQL-B") + "\nmetadata: {name: files.prod}"},
		refused:  []change{`metadata: {name: files.prod}`},
		path:     "spec.members",
		message:  "member names are <name>-<n> and a computer name has no dots: take the dots out of the name, or name the members in spec.members.named",
	},
	"Count needs count": {
		manifest: guestCluster,
		accepted: []change{`spec: {members: {type: Count, count: 3}}`},
		refused:  []change{`spec: {members: {count: null}}`},
		path:     "spec.members",
		message:  "give count when type is Count, and only then",
	},
	"Named has no count": {
		manifest: guestCluster,
		accepted: []change{named("SQL-A", "SQL-B")},
		refused:  []change{`spec: {members: {type: Named, named: [{name: SQL-A}, {name: SQL-B}]}}`},
		path:     "spec.members",
		message:  "give count when type is Count, and only then",
	},
	"Named needs named": {
		manifest: guestCluster,
		accepted: []change{named("SQL-A", "SQL-B")},
		refused: []change{
			`spec: {members: {type: Named, count: null}}`,
			`spec: {members: {named: [{name: SQL-A}, {name: SQL-B}]}}`,
		},
		path:    "spec.members",
		message: "give named when type is Named, and only then",
	},
	"at least 2 members": {
		manifest: guestCluster,
		accepted: []change{`spec: {members: {count: 2}}`, named("SQL-A", "SQL-B")},
		refused:  []change{`spec: {members: {count: 1}}`, `spec: {members: {count: 0}}`, named("SQL-A"), `spec: {members: {type: Named, count: null, named: []}}`},
		path:     "spec.members",
		message:  "a guest cluster needs at least 2 members; for a single VM clustering adds nothing",
	},
	"at most 64 members": {
		manifest: guestCluster,
		accepted: []change{`spec: {members: {count: 64}}`, namedMany(64)},
		refused:  []change{`spec: {members: {count: 65}}`, namedMany(65)},
		path:     "spec.members",
		message:  "a guest cluster has at most 64 members: a failover cluster takes no more nodes",
	},
	"a member's name": {
		manifest: guestCluster,
		accepted: []change{named("A", "SQL-B", "ABCDEFGHIJKLMNO", "1A")},
		refused:  []change{named("sql-a", "SQL-B"), named("ABCDEFGHIJKLMNOP", "B"), named("SQL_A", "B"), named("-A", "B"), named("A-", "B"), named(`"12"`, "B"), named(`""`, "B")},
		path:     "spec.members.named[0].name",
		message:  memberSentence,
	},
	"from Count to Named every member is named": {
		manifest: guestCluster,
		from:     []change{`spec: {members: {count: 3}}`},
		accepted: []change{named("FILES-1", "FILES-2", "FILES-3"), named("SQL-A", "FILES-3", "FILES-2", "FILES-4", "FILES-1")},
		refused:  []change{named("FILES-1", "FILES-2"), named("SQL-A", "SQL-B", "SQL-C"), named("FILES-1", "FILES-2", "FILES-4"), named("FILES-1", "FILES-2", "FILES-03"), named("FILES-1", "FILES-2", "XFILES-3")},
		path:     "spec.members.named",
		message:  "name every existing member, <NAME>-1 and on, in spec.members.named; members are removed by a change of its own",
	},
	"Named is for good": {
		manifest: guestCluster,
		from:     []change{named("FILES-1", "FILES-2")},
		accepted: []change{`{}`},
		refused:  []change{`spec: {members: {type: Count, count: 2, named: null}}`},
		path:     "spec.members.type",
		message:  "named members keep their names; leave type Named",
	},
	"memory's bounds": {
		manifest: guestCluster,
		accepted: []change{`spec: {machine: {memory: {startup: 512Mi}}}`, `spec: {machine: {memory: {startup: 12Ti}}}`, `spec: {machine: {memory: {startup: 4294967296}}}`},
		refused:  []change{`spec: {machine: {memory: {startup: 510Mi}}}`, `spec: {machine: {memory: {startup: 13Ti}}}`, `spec: {machine: {memory: {startup: "4"}}}`, `spec: {machine: {memory: {startup: 4}}}`, `spec: {machine: {memory: {startup: -4Gi}}}`},
		path:     "spec.machine.memory.startup",
		message:  "a member has 512Mi to 12Ti of memory; write it with a unit, such as 4Gi",
	},
	"memory's step": {
		manifest: guestCluster,
		accepted: []change{`spec: {machine: {memory: {startup: 1026Mi}}}`, `spec: {machine: {memory: {startup: 1536Mi}}}`},
		refused:  []change{`spec: {machine: {memory: {startup: 1025Mi}}}`, `spec: {machine: {memory: {startup: 1.5Gi}}}`, `spec: {machine: {memory: {startup: 4G}}}`, `spec: {machine: {memory: {startup: "1073741824.5"}}}`},
		path:     "spec.machine.memory.startup",
		message:  "Hyper-V gives memory in steps of 2Mi; write it in Mi or Gi and without a fraction, such as 1536Mi",
	},
	"a network for the cluster": {
		manifest: guestCluster,
		accepted: []change{`spec: {machine: {networks: [{name: client, purpose: Client, hostNetwork: client}, {name: cluster, purpose: Cluster, hostNetwork: cluster}]}}`},
		refused: []change{
			`spec: {machine: {networks: [{name: client, purpose: Client, hostNetwork: client}]}}`,
			`spec: {machine: {networks: []}}`,
		},
		path:    "spec.machine.networks",
		message: "add a network with purpose Cluster: heartbeats must not share the clients' network",
	},
	"an adapter's name": {
		manifest: guestCluster,
		accepted: []change{`spec: {machine: {networks: [{name: hb-1, purpose: Cluster, hostNetwork: cluster}]}}`},
		refused:  []change{`spec: {machine: {networks: [{name: Cluster, purpose: Cluster, hostNetwork: cluster}]}}`},
		path:     "spec.machine.networks[0].name",
		message:  nameSentence,
	},
	"adapters are fixed": {
		manifest: guestCluster,
		from:     []change{`spec: {machine: {networks: [{name: client, purpose: Client, hostNetwork: client}, {name: cluster, purpose: Cluster, hostNetwork: cluster}]}}`},
		accepted: []change{`spec: {machine: {networks: [{name: cluster, purpose: Cluster, hostNetwork: cluster-2}, {name: client, purpose: Client, hostNetwork: client}]}}`},
		refused: []change{
			`spec: {machine: {networks: [{name: cluster, purpose: Cluster, hostNetwork: cluster}]}}`,
			`spec: {machine: {networks: [{name: lan, purpose: Client, hostNetwork: client}, {name: cluster, purpose: Cluster, hostNetwork: cluster}]}}`,
		},
		path:    "spec.machine.networks",
		message: "the networks of existing members are fixed, as a list of names; restore it, or create another guest cluster",
	},
	"the image is fixed": {
		manifest: guestCluster,
		from:     unchanged,
		accepted: []change{`spec: {machine: {cpus: 4, memory: {startup: 8Gi}}}`},
		refused:  []change{`spec: {machine: {image: ws2025}}`},
		path:     "spec.machine.image",
		message:  "the image of existing members is fixed; create another guest cluster from the other image",
	},
	"the storage pool is fixed": {
		manifest: guestCluster,
		from:     unchanged,
		accepted: []change{`spec: {deletionPolicy: Orphan, management: Paused}`},
		refused:  []change{`spec: {machine: {storagePool: silver}}`},
		path:     "spec.machine.storagePool",
		message:  "the storage pool of existing members is fixed; create another guest cluster in the other pool",
	},
	"a disk's name": {
		manifest: guestCluster,
		accepted: []change{`spec: {sharedDisks: [{name: data-1, type: Reference, sharedDiskRef: {name: sql.logs}}]}`},
		refused:  []change{`spec: {sharedDisks: [{name: Data, type: Reference, sharedDiskRef: {name: sql-logs}}]}`},
		path:     "spec.sharedDisks[0].name",
		message:  nameSentence,
	},
	"a Template has a template": {
		manifest: guestCluster,
		accepted: []change{`spec: {sharedDisks: [{name: data, template: {spec: {size: 1Gi, storagePool: gold}}}]}`},
		refused: []change{
			`spec: {sharedDisks: [{name: data}]}`,
			`spec: {sharedDisks: [{name: data, type: Reference, sharedDiskRef: {name: logs}, template: {spec: {size: 1Gi, storagePool: gold}}}]}`,
		},
		path:    "spec.sharedDisks[0]",
		message: "give template when type is Template, and only then",
	},
	"a Reference has a reference": {
		manifest: guestCluster,
		accepted: []change{`spec: {sharedDisks: [{name: data, type: Reference, sharedDiskRef: {name: logs}}]}`},
		refused: []change{
			`spec: {sharedDisks: [{name: data, type: Reference}]}`,
			`spec: {sharedDisks: [{name: data, sharedDiskRef: {name: logs}, template: {spec: {size: 1Gi, storagePool: gold}}}]}`,
		},
		path:    "spec.sharedDisks[0]",
		message: "give sharedDiskRef when type is Reference, and only then",
	},
	"a template's SharedDisk has a name of 63 characters": {
		manifest: guestCluster,
		accepted: []change{change("spec: {sharedDisks: [{name: " + strings.Repeat("d", 57) + ", template: {spec: {size: 1Gi, storagePool: gold}}}]}")},
		refused:  []change{change("spec: {sharedDisks: [{name: " + strings.Repeat("d", 58) + ", template: {spec: {size: 1Gi, storagePool: gold}}}]}")},
		path:     "spec.sharedDisks",
		message:  "the SharedDisk of a template is named <name>-<disk> and has at most 63 characters: shorten the disk's name",
	},
	"one entry per SharedDisk": {
		manifest: guestCluster,
		accepted: []change{`spec: {sharedDisks: [{name: data, template: {spec: {size: 1Gi, storagePool: gold}}}, {name: b, type: Reference, sharedDiskRef: {name: data}}]}`},
		refused: []change{
			`spec: {sharedDisks: [{name: a, type: Reference, sharedDiskRef: {name: logs}}, {name: b, type: Reference, sharedDiskRef: {name: logs}}]}`,
			`spec: {sharedDisks: [{name: data, template: {spec: {size: 1Gi, storagePool: gold}}}, {name: b, type: Reference, sharedDiskRef: {name: files-data}}]}`,
		},
		path:    "spec.sharedDisks",
		message: "two entries stand for the same SharedDisk; remove one",
	},
	"an entry keeps its SharedDisk": {
		manifest: guestCluster,
		from:     []change{`spec: {sharedDisks: [{name: data, template: {spec: {size: 1Gi, storagePool: gold}}}, {name: logs, type: Reference, sharedDiskRef: {name: sql-logs}}]}`},
		accepted: []change{
			`spec: {sharedDisks: null}`,
			`spec: {sharedDisks: [{name: data, type: Reference, sharedDiskRef: {name: files-data}}, {name: logs, type: Reference, sharedDiskRef: {name: sql-logs}}]}`,
			`spec: {sharedDisks: [{name: more, template: {spec: {size: 1Gi, storagePool: gold}}}, {name: again, type: Reference, sharedDiskRef: {name: sql-logs}}]}`,
		},
		refused: []change{
			`spec: {sharedDisks: [{name: data, type: Reference, sharedDiskRef: {name: other}}]}`,
			`spec: {sharedDisks: [{name: logs, type: Reference, sharedDiskRef: {name: other}}]}`,
			`spec: {sharedDisks: [{name: logs, template: {spec: {size: 1Gi, storagePool: gold}}}]}`,
		},
		path:    "spec.sharedDisks",
		message: "an entry stands for the same SharedDisk always; for another disk, remove the entry and add one with another name",
	},
})
