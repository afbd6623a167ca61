package apivalidation

import "strings"

const (
	addressSentence = "an address is an IP address without a prefix length, such as 10.0.1.20"
	ownName         = ": each computer object needs its own"
)

// failover is a change of spec.clustering.failover.
func failover(fields string) change {
	return change("spec: {clustering: {failover: {" + fields + "}}}")
}

func failovers(fields ...string) []change {
	changes := make([]change, len(fields))
	for i, f := range fields {
		changes[i] = failover(f)
	}
	return changes
}

// namedWith has named members, and is a change of spec.clustering.failover as well.
func namedWith(fields string, names ...string) change {
	return change("spec: {members: {type: Named, count: null, named: [{name: " + strings.Join(names, "}, {name: ") + "}]}, clustering: {failover: {" + fields + "}}}")
}

// fileServer is a role with a disk.
func fileServer(name, disk string) string {
	return "{name: " + name + ", type: FileServer, fileServer: {disk: " + disk + "}}"
}

// shares are changes to one file server with the shares.
func shares(lists ...string) []change {
	changes := make([]change, len(lists))
	for i, list := range lists {
		changes[i] = failover("roles: [{name: FILES-FS, type: FileServer, fileServer: {disk: data, shares: [" + list + "]}}]")
	}
	return changes
}

func quorums(fields ...string) []change {
	changes := make([]change, len(fields))
	for i, f := range fields {
		changes[i] = failover("quorum: {" + f + "}")
	}
	return changes
}

const workgroup = `domain: null`

// longShare is a share with the longest name.
var longShare = "{name: " + strings.Repeat("s", 80) + "}"

var _ = declare("GuestCluster", map[string]rule{
	"Failover has a failover cluster": {
		manifest: clustered,
		accepted: []change{`{}`, `spec: {clustering: {type: None, failover: null}}`},
		refused:  []change{`spec: {clustering: {failover: null}}`, `spec: {clustering: {type: None}}`},
		path:     "spec.clustering",
		message:  "give failover when type is Failover, and only then",
	},
	"the type of clustering is fixed": {
		manifest: clustered,
		from:     unchanged,
		accepted: []change{failover(`validation: Report`)},
		refused:  []change{`spec: {clustering: {type: None, failover: null}}`},
		path:     "spec.clustering.type",
		message:  "the type of clustering is fixed; create another guest cluster of the other type",
	},
	"clustering stays": {
		manifest: clustered,
		from:     unchanged,
		accepted: []change{`{}`},
		refused:  []change{`spec: {clustering: null}`},
		path:     "spec.clustering",
		message:  "the type of clustering is fixed; restore clustering, or create another guest cluster without it",
	},
	"the cluster's name": {
		manifest: clustered,
		accepted: failovers(`name: SQLCLU`, `name: A`, `name: 1A`, `name: ABCDEFGHIJKLMNO`),
		refused:  failovers(`name: sqlclu`, `name: ABCDEFGHIJKLMNOP`, `name: "12"`, `name: SQL_CLU`, `name: -A`, `name: A.B`),
		path:     "spec.clustering.failover.name",
		message:  "the cluster's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as SQLCLU",
	},
	"the cluster's name is fixed": {
		manifest: clustered,
		from:     failovers(`name: SQLCLU`),
		accepted: failovers(`validation: Skip`),
		refused:  failovers(`name: SQLCLU2`, `name: null`),
		path:     "spec.clustering.failover.name",
		message:  "the cluster's name is fixed, left out or not; restore it, or create another guest cluster",
	},
	"the cluster's name stays left out": {
		manifest: clustered,
		from:     unchanged,
		accepted: failovers(`validation: Skip`),
		refused:  failovers(`name: FILES-CL`),
		path:     "spec.clustering.failover.name",
		message:  "the cluster's name is fixed, left out or not; restore it, or create another guest cluster",
	},
	"the cluster is named after metadata.name": {
		manifest: clustered,
		accepted: []change{
			named("SQL-A", "SQL-B") + "\nmetadata: {name: abcdefghijkl}",
			`{metadata: {name: abcdefghijklm}, spec: {clustering: {failover: {name: CLU}}}}`,
		},
		refused: []change{`metadata: {name: abcdefghijklm}`, named("SQL-A", "SQL-B") + "\nmetadata: {name: files.prod}"},
		path:    "spec.clustering.failover.name",
		message: "the cluster's name is <NAME>-CL and must be a computer name of at most 15 characters, without dots: shorten metadata.name, or name the cluster in spec.clustering.failover.name",
	},
	"the cluster's addresses": {
		manifest: clustered,
		accepted: failovers(`addresses: [10.0.1.20]`, `addresses: [10.0.1.20, "fd00::20"]`),
		refused:  failovers(`addresses: [10.0.1.20/24]`, `addresses: [10.0.1]`, `addresses: [files-cl]`),
		path:     "spec.clustering.failover.addresses[0]",
		message:  addressSentence,
	},
	"the cluster's addresses are fixed": {
		manifest: clustered,
		from:     failovers(`addresses: [10.0.1.20]`),
		accepted: failovers(`validation: Skip`),
		refused:  failovers(`addresses: [10.0.1.21]`, `addresses: null`),
		path:     "spec.clustering.failover.addresses",
		message:  "the cluster's addresses are fixed, left out or not; restore them, or create another guest cluster",
	},
	"in a domain or not is fixed": {
		manifest: clustered,
		from:     unchanged,
		accepted: failovers(`domain: {credentialsSecretRef: {name: other}, organizationalUnit: "OU=A,DC=corp,DC=example"}`),
		refused:  failovers(workgroup),
		path:     "spec.clustering.failover.domain",
		message:  "a cluster stays in its domain or in its workgroup; restore domain as it was, or create another guest cluster",
	},
	"a domain's name": {
		manifest: clustered,
		accepted: failovers(`domain: {name: corp}`, `domain: {name: EU.Corp.example}`),
		refused:  failovers(`domain: {name: corp.example.}`, `domain: {name: CORP\join}`, `domain: {name: "ldap://corp"}`, `domain: {name: "corp example"}`),
		path:     "spec.clustering.failover.domain.name",
		message:  "a domain is named by its name in DNS, such as corp.example",
	},
	"the domain is fixed": {
		manifest: clustered,
		from:     unchanged,
		accepted: failovers(`domain: {formingCredentialsSecretRef: {name: corp-cluster}}`),
		refused:  failovers(`domain: {name: other.example}`),
		path:     "spec.clustering.failover.domain.name",
		message:  "the domain is fixed; create another guest cluster in the other domain",
	},
	"an organizational unit": {
		manifest: clustered,
		accepted: failovers(
			`domain: {organizationalUnit: "OU=Clusters,DC=corp,DC=example"}`, `domain: {organizationalUnit: "CN=Computers,dc=corp"}`,
			`domain: {organizationalUnit: 'OU=A\, B,ou=Clusters 1,DC=corp,DC=example'}`,
		),
		refused: failovers(
			`domain: {organizationalUnit: Clusters}`, `domain: {organizationalUnit: corp.example/Clusters}`, `domain: {organizationalUnit: "OU=Clusters"}`,
			`domain: {organizationalUnit: "DC=corp,DC=example"}`, `domain: {organizationalUnit: "OU=Clusters, DC=corp"}`, `domain: {organizationalUnit: "OU=A,B,DC=corp"}`,
		),
		path:    "spec.clustering.failover.domain.organizationalUnit",
		message: "an organizational unit is given by its distinguished name, such as OU=Clusters,DC=corp,DC=example",
	},
	"a disk witness has a disk": {
		manifest: clustered,
		accepted: quorums(`type: DiskWitness, diskWitness: {disk: witness}`),
		refused:  quorums(`type: DiskWitness`, `diskWitness: {disk: witness}`),
		path:     "spec.clustering.failover.quorum",
		message:  "give diskWitness when type is DiskWitness, and only then",
	},
	"a file share witness has a share": {
		manifest: clustered,
		accepted: quorums(`type: FileShareWitness, fileShareWitness: {path: '\\fs01\witness'}`),
		refused:  quorums(`type: FileShareWitness`, `fileShareWitness: {path: '\\fs01\witness'}`),
		path:     "spec.clustering.failover.quorum",
		message:  "give fileShareWitness when type is FileShareWitness, and only then",
	},
	"a cloud witness has an account": {
		manifest: clustered,
		accepted: quorums(`type: CloudWitness, cloudWitness: {accountName: corpwitness, keySecretRef: {name: k, key: key}}`),
		refused:  quorums(`type: CloudWitness`, `cloudWitness: {accountName: corpwitness, keySecretRef: {name: k, key: key}}`),
		path:     "spec.clustering.failover.quorum",
		message:  "give cloudWitness when type is CloudWitness, and only then",
	},
	"a file share": {
		manifest: clustered,
		accepted: quorums(`type: FileShareWitness, fileShareWitness: {path: '\\fs01.corp.example\witness\sql'}`),
		refused: quorums(
			`type: FileShareWitness, fileShareWitness: {path: 'D:\witness'}`, `type: FileShareWitness, fileShareWitness: {path: '\\fs01'}`,
			`type: FileShareWitness, fileShareWitness: {path: //fs01/witness}`, `type: FileShareWitness, fileShareWitness: {path: '\\fs01\witness\'}`,
		),
		path:    "spec.clustering.failover.quorum.fileShareWitness.path",
		message: `a file share is given as \\server\share`,
	},
	"a storage account": {
		manifest: clustered,
		accepted: quorums(`type: CloudWitness, cloudWitness: {accountName: abc, keySecretRef: {name: k, key: key}}`),
		refused: quorums(
			`type: CloudWitness, cloudWitness: {accountName: Corp, keySecretRef: {name: k, key: key}}`,
			`type: CloudWitness, cloudWitness: {accountName: ab, keySecretRef: {name: k, key: key}}`,
			`type: CloudWitness, cloudWitness: {accountName: corp.blob.core.windows.net, keySecretRef: {name: k, key: key}}`,
		),
		path:    "spec.clustering.failover.quorum.cloudWitness.accountName",
		message: "a storage account's name is 3 to 24 lower-case letters and digits",
	},
	"a storage service's endpoint": {
		manifest: clustered,
		accepted: quorums(`type: CloudWitness, cloudWitness: {accountName: corp, endpoint: core.chinacloudapi.cn, keySecretRef: {name: k, key: key}}`),
		refused: quorums(
			`type: CloudWitness, cloudWitness: {accountName: corp, endpoint: "https://core.windows.net", keySecretRef: {name: k, key: key}}`,
			`type: CloudWitness, cloudWitness: {accountName: corp, endpoint: azure, keySecretRef: {name: k, key: key}}`,
		),
		path:    "spec.clustering.failover.quorum.cloudWitness.endpoint",
		message: "an endpoint is the end of the storage service's names, such as core.windows.net, without https:// and without the account",
	},
	"the witness is a shared disk": {
		manifest: clustered,
		accepted: quorums(`type: DiskWitness, diskWitness: {disk: witness}`),
		refused: []change{
			failover(`quorum: {type: DiskWitness, diskWitness: {disk: quorum}}`),
			`spec: {sharedDisks: null, clustering: {failover: {quorum: {type: DiskWitness, diskWitness: {disk: witness}}}}}`,
		},
		path:    "spec.clustering.failover.quorum.diskWitness.disk",
		message: "the witness is not in sharedDisks; add the disk there, or name one that is",
	},
	"the witness is no CSV": {
		manifest: clustered,
		accepted: failovers(`quorum: {type: DiskWitness, diskWitness: {disk: witness}}, clusterSharedVolumes: [{disk: data}, {disk: logs}]`),
		refused:  failovers(`quorum: {type: DiskWitness, diskWitness: {disk: witness}}, clusterSharedVolumes: [{disk: data}, {disk: witness}]`),
		path:     "spec.clustering.failover",
		message:  "a witness disk cannot be a cluster shared volume; name another disk",
	},
	"the witness holds no role": {
		manifest: clustered,
		accepted: failovers(`quorum: {type: DiskWitness, diskWitness: {disk: witness}}, roles: [` + fileServer("FILES-FS", "data") + `]`),
		refused:  failovers(`quorum: {type: DiskWitness, diskWitness: {disk: data}}, roles: [` + fileServer("FILES-FS", "data") + `]`),
		path:     "spec.clustering.failover",
		message:  "a witness disk holds nothing else; name another disk for the role",
	},
	"a CSV is a shared disk": {
		manifest: clustered,
		accepted: failovers(`clusterSharedVolumes: [{disk: data}]`, `clusterSharedVolumes: []`),
		refused:  []change{failover(`clusterSharedVolumes: [{disk: data}, {disk: more}]`), `spec: {sharedDisks: null, clustering: {failover: {clusterSharedVolumes: [{disk: data}]}}}`},
		path:     "spec.clustering.failover.clusterSharedVolumes",
		message:  "a cluster shared volume is not in sharedDisks; add the disk there, or name one that is",
	},
	"a CSV holds no file server for general use": {
		manifest: clustered,
		accepted: failovers(`clusterSharedVolumes: [{disk: logs}], roles: [` + fileServer("FILES-FS", "data") + `]`),
		refused:  failovers(`clusterSharedVolumes: [{disk: data}], roles: [` + fileServer("FILES-FS", "data") + `]`),
		path:     "spec.clustering.failover",
		message:  "a file server's disk cannot be a cluster shared volume; name another disk for the role",
	},
	"file servers are in a domain": {
		manifest: clustered,
		accepted: failovers(workgroup, `roles: [`+fileServer("FILES-FS", "data")+`]`),
		refused:  failovers(workgroup + `, roles: [` + fileServer("FILES-FS", "data") + `]`),
		path:     "spec.clustering.failover",
		message:  "file server roles need a domain: Windows supports none in a workgroup cluster; give domain, or take the roles out",
	},
	"a role's name": {
		manifest: clustered,
		accepted: failovers(`roles: [` + fileServer("FS-1", "data") + `]`),
		refused:  failovers(`roles: [`+fileServer("files-fs", "data")+`]`, `roles: [`+fileServer("ABCDEFGHIJKLMNOP", "data")+`]`, `roles: [`+fileServer(`"7"`, "data")+`]`),
		path:     "spec.clustering.failover.roles[0].name",
		message:  "a role's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as FILES-FS",
	},
	"a FileServer has a file server": {
		manifest: clustered,
		accepted: failovers(`roles: [` + fileServer("FILES-FS", "data") + `]`),
		refused:  failovers(`roles: [{name: FILES-FS, type: FileServer}]`),
		path:     "spec.clustering.failover.roles[0]",
		message:  "give fileServer when type is FileServer, and only then",
	},
	"a role's addresses": {
		manifest: clustered,
		accepted: failovers(`roles: [{name: FILES-FS, type: FileServer, addresses: [10.0.1.21], fileServer: {disk: data}}]`),
		refused:  failovers(`roles: [{name: FILES-FS, type: FileServer, addresses: [10.0.1.21/24], fileServer: {disk: data}}]`),
		path:     "spec.clustering.failover.roles[0].addresses[0]",
		message:  addressSentence,
	},
	"a role's addresses are fixed": {
		manifest: clustered,
		from:     failovers(`roles: [{name: FILES-FS, type: FileServer, addresses: [10.0.1.21], fileServer: {disk: data}}]`),
		accepted: failovers(
			`roles: [`+fileServer("FS2", "logs")+`, {name: FILES-FS, type: FileServer, addresses: [10.0.1.21], fileServer: {disk: data}}]`,
			`roles: [{name: FILES-FS, type: FileServer, addresses: [10.0.1.21], fileServer: {disk: data, shares: [{name: invoices}]}}]`,
		),
		refused: failovers(`roles: [`+fileServer("FILES-FS", "data")+`]`, `roles: [{name: FILES-FS, type: FileServer, addresses: [10.0.1.22], fileServer: {disk: data}}]`),
		path:    "spec.clustering.failover.roles[0].addresses",
		message: "a role's addresses are fixed, left out or not; restore them, or add another role",
	},
	"a role's disk is fixed": {
		manifest: clustered,
		from:     failovers(`roles: [` + fileServer("FILES-FS", "data") + `]`),
		accepted: failovers(`roles: [` + fileServer("FILES-FS", "data") + `, ` + fileServer("FS2", "logs") + `]`),
		refused:  failovers(`roles: [` + fileServer("FILES-FS", "logs") + `]`),
		path:     "spec.clustering.failover.roles[0].fileServer.disk",
		message:  "the disk of a file server is fixed; restore it, or add a role on the other disk",
	},
	"a role's disk is a shared disk": {
		manifest: clustered,
		accepted: failovers(`roles: [` + fileServer("FILES-FS", "data") + `]`),
		refused:  []change{failover(`roles: [` + fileServer("FILES-FS", "more") + `]`), change(`spec: {sharedDisks: null, clustering: {failover: {roles: [` + fileServer("FILES-FS", "data") + `]}}}`)},
		path:     "spec.clustering.failover.roles",
		message:  "a role's disk is not in sharedDisks; add the disk there, or name one that is",
	},
	"a disk has one role": {
		manifest: clustered,
		accepted: failovers(`roles: [` + fileServer("FS1", "data") + `, ` + fileServer("FS2", "logs") + `]`),
		refused:  failovers(`roles: [` + fileServer("FS1", "data") + `, ` + fileServer("FS2", "data") + `]`),
		path:     "spec.clustering.failover.roles",
		message:  "two roles name the same disk; give each role a disk of its own",
	},
	"a share's name": {
		manifest: clustered,
		accepted: shares(`{name: invoices}`, `{name: "Profiles$"}`, `{name: "2026 Q1.final"}`, `{name: A}`, `{name: _x}`, `{name: console}`, longShare),
		refused: shares(`{name: 'a\b'}`, `{name: a/b}`, `{name: " a"}`, `{name: a.}`, `{name: "a "}`, `{name: "C$"}`, `{name: "admin$"}`, `{name: "IPC$"}`,
			`{name: NUL}`, `{name: con.txt}`, `{name: lpt1}`, `{name: "a$b"}`, `{name: ".."}`, `{name: "a:b"}`),
		path:    "spec.clustering.failover.roles[0].fileServer.shares[0].name",
		message: "a share's name is letters, digits, spaces, dots, hyphens and underscores, and none that Windows keeps for itself, such as C$ or NUL",
	},
	"shares' names differ": {
		manifest: clustered,
		accepted: shares(`{name: invoices}, {name: orders}`),
		refused:  shares(`{name: invoices}, {name: Invoices}`),
		path:     "spec.clustering.failover.roles[0].fileServer.shares",
		message:  "Windows does not tell capitals in shares' names; give each share a name of its own",
	},
	"a share's accounts": {
		manifest: clustered,
		accepted: shares(`{name: a, fullAccess: ['CORP\Domain Users', invoicing@corp.example, 'BUILTIN\Administrators']}`),
		refused:  shares(`{name: a, fullAccess: [Everyone]}`, `{name: a, fullAccess: [corp/invoicing]}`, `{name: a, fullAccess: ['CORP\']}`, `{name: a, fullAccess: ['A\B\C']}`),
		path:     "spec.clustering.failover.roles[0].fileServer.shares[0].fullAccess[0]",
		message:  `an account is given with its domain, such as CORP\invoicing or invoicing@corp.example`,
	},
	"shares stay": {
		manifest: clustered,
		from:     shares(`{name: invoices}`),
		accepted: shares(`{name: orders}, {name: invoices}`),
		refused:  shares(`{name: orders}`, ``),
		path:     "spec.clustering.failover.roles[0].fileServer.shares",
		message:  "shares cannot be removed yet; put the entries back that are missing",
	},
	"a share's accounts stay": {
		manifest: clustered,
		from:     shares(`{name: a, fullAccess: ['CORP\A', 'CORP\B']}, {name: b}`),
		accepted: shares(`{name: b}, {name: a, fullAccess: ['CORP\B', 'CORP\A']}`),
		refused:  shares(`{name: a, fullAccess: ['CORP\A']}, {name: b}`, `{name: a}, {name: b}`),
		path:     "spec.clustering.failover.roles[0].fileServer.shares[0].fullAccess",
		message:  "the accounts of a share cannot be changed yet, left out or not; restore them here, and change them on the share itself (Grant-SmbShareAccess)",
	},
	"roles stay": {
		manifest: clustered,
		from:     failovers(`roles: [` + fileServer("FS1", "data") + `]`),
		accepted: failovers(`roles: [` + fileServer("FS2", "logs") + `, ` + fileServer("FS1", "data") + `]`),
		refused:  failovers(`roles: [`+fileServer("FS2", "logs")+`]`, `roles: null`, `roles: []`),
		path:     "spec.clustering.failover.roles",
		message:  "roles cannot be removed yet; put the entries back that are missing",
	},
	"CSVs stay": {
		manifest: clustered,
		from:     failovers(`clusterSharedVolumes: [{disk: data}]`),
		accepted: failovers(`clusterSharedVolumes: [{disk: logs}, {disk: data}]`),
		refused:  failovers(`clusterSharedVolumes: [{disk: logs}]`, `clusterSharedVolumes: null`),
		path:     "spec.clustering.failover.clusterSharedVolumes",
		message:  "a cluster shared volume cannot become another kind of disk yet; put the entries back that are missing",
	},
	"a role is not the cluster": {
		manifest: clustered,
		accepted: failovers(`name: SQLCLU, roles: [` + fileServer("FILES-FS", "data") + `]`),
		refused:  failovers(`name: SQLCLU, roles: [` + fileServer("FS1", "logs") + `, ` + fileServer("SQLCLU", "data") + `]`),
		path:     "spec.clustering.failover.roles",
		message:  "a role has the cluster's name" + ownName,
		says:     "SQLCLU is already the cluster's name" + ownName,
	},
	"a role or the cluster is not a named member": {
		manifest: clustered,
		accepted: []change{namedWith(`name: SQLCLU, roles: [`+fileServer("SQL1", "data")+`]`, "SQL-A", "SQL-B")},
		refused: []change{
			namedWith(`name: SQL-A`, "SQL-B", "SQL-A"),
			namedWith(`roles: [`+fileServer("SQL-A", "data")+`]`, "SQL-B", "SQL-A"),
		},
		path:    "spec.clustering.failover",
		message: "the cluster or a role has a member's name" + ownName,
	},
	"nothing else has the cluster's own name": {
		manifest: clustered,
		accepted: failovers(`name: CLU, roles: [` + fileServer("FILES-CL", "data") + `]`),
		refused:  []change{failover(`roles: [` + fileServer("FILES-CL", "data") + `]`), named("SQL-A", "FILES-CL")},
		path:     "spec.clustering.failover",
		message:  "<NAME>-CL is already the cluster's name" + ownName + "; rename the member or the role, or name the cluster in spec.clustering.failover.name",
	},
	"nothing else has a counted member's name": {
		manifest: clustered,
		accepted: []change{
			failover(`name: FILES-CLU, roles: [` + fileServer("FILES-1A", "data") + `]`),
			namedWith(`name: FILES-1, roles: [`+fileServer("FILES-2", "data")+`]`, "SQL-A", "SQL-B"),
		},
		refused: failovers(`name: FILES-2`, `roles: [`+fileServer("FILES-1", "data")+`]`, `roles: [`+fileServer("FILES-7", "data")+`]`),
		path:    "spec.clustering.failover",
		message: "<NAME>-<n> are the members' names, now or later" + ownName + "; give the cluster and the roles other names",
	},
})
