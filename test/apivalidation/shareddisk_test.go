package apivalidation

import "strings"

// Where the fields of a disk stand: in a SharedDisk of its own, and in a template of a GuestCluster.
var _ = declare("SharedDisk", diskRules(sharedDisk, "spec", func(fields string) change {
	return change("spec: {" + fields + "}")
}))

var _ = declare("GuestCluster", diskRules(guestCluster, "spec.sharedDisks[0].template.spec", func(fields string) change {
	if !strings.Contains(fields, "storagePool") {
		fields += ", storagePool: gold"
	}
	return change("spec: {sharedDisks: [{name: data, template: {spec: {" + fields + "}}}]}")
}))

func diskRules(m manifest, path string, disk func(fields string) change) map[string]rule {
	disks := func(fields ...string) []change {
		changes := make([]change, len(fields))
		for i, f := range fields {
			changes[i] = disk(f)
		}
		return changes
	}
	return map[string]rule{
		"a disk's size has bounds": {
			manifest: m,
			accepted: disks(`size: 512Mi`, `size: 64Ti`, `size: 1073741824`, `size: "1073741824"`, `size: 1e10`),
			refused:  disks(`size: 511Mi`, `size: 65Ti`, `size: "500"`, `size: 500`, `size: -1Gi`, `size: "0"`),
			path:     path + ".size",
			message:  "a shared disk has 512Mi to 64Ti; write the size with a unit, such as 500Gi",
		},
		"a disk has whole sectors": {
			manifest: m,
			accepted: disks(`size: 500G`, `size: 1536Mi`),
			refused:  disks(`size: 1500000001`, `size: 1234567890k`, `size: "1073741824.5"`, `size: 1.5Gi`),
			path:     path + ".size",
			message:  "a disk is a whole number of 512-byte sectors; write the size in Mi, Gi or Ti and without a fraction, such as 1536Mi",
		},
		"a disk does not shrink": {
			manifest: m,
			from:     disks(`size: 500Gi`),
			accepted: disks(`size: 512000Mi`, `size: 536870912000`, `size: 2Ti`),
			refused:  disks(`size: 400Gi`, `size: 429496729600`),
			path:     path + ".size",
			message:  "a shared disk cannot shrink; restore the size, or create a new disk and move the data",
		},
		"a shared VHDX does not grow": {
			manifest: m,
			from:     disks(`size: 1024Gi, format: VHDX`),
			accepted: disks(`size: 1Ti, format: VHDX`),
			refused:  disks(`size: 2Ti, format: VHDX`, `size: 2199023255552, format: VHDX`),
			path:     path + ".size",
			message:  "a shared VHDX cannot grow; restore the size, or create a new disk of format VHDSet and move the data",
		},
		"a disk's format is fixed": {
			manifest: m,
			from:     disks(`size: 1Gi, format: VHDX`),
			accepted: disks(`size: 1Gi, format: VHDX, reclaimPolicy: Delete`),
			refused:  disks(`size: 1Gi, format: VHDSet`, `size: 1Gi, format: null`),
			path:     path + ".format",
			message:  "format is fixed; create a new disk of the other format and move the data",
		},
		"a disk's format stays left out": {
			manifest: m,
			from:     disks(`size: 1Gi`),
			accepted: disks(`size: 1Gi`),
			refused:  disks(`size: 1Gi, format: VHDSet`),
			path:     path + ".format",
			message:  "format is fixed; create a new disk of the other format and move the data",
		},
		"a disk's provisioning is fixed": {
			manifest: m,
			from:     disks(`size: 1Gi`),
			accepted: disks(`size: 1Gi, provisioning: Dynamic`),
			refused:  disks(`size: 1Gi, provisioning: Fixed`),
			path:     path + ".provisioning",
			message:  "provisioning is fixed; create a new disk and move the data",
		},
		"a disk's pool is fixed": {
			manifest: m,
			from:     disks(`size: 1Gi`),
			accepted: disks(`size: 1Gi, storagePool: gold`),
			refused:  disks(`size: 1Gi, storagePool: silver`),
			path:     path + ".storagePool",
			message:  "storagePool is fixed; create a new disk in the other pool and move the data",
		},
	}
}

var _ = declare("SharedDisk", map[string]rule{
	"metadata.name is a folder": {
		manifest: sharedDisk,
		accepted: []change{change("metadata: {name: " + strings.Repeat("a", 63) + "}")},
		refused:  []change{change("metadata: {name: " + strings.Repeat("a", 64) + "}")},
		path:     "metadata",
		message:  "metadata.name becomes a folder on the hosts and has at most 63 characters: shorten it",
	},
})

// What every kind shares that lives on a host cluster.
func init() {
	for kind, m := range manifests {
		if kind == "HostCluster" {
			continue
		}
		declare(kind, map[string]rule{"hostClusterRef is fixed": {
			manifest: m,
			from:     unchanged,
			accepted: []change{`spec: {management: Paused}`},
			refused:  []change{`spec: {hostClusterRef: {name: rack2}}`},
			path:     "spec.hostClusterRef",
			message:  "hostClusterRef is fixed; create a new object for the other host cluster",
		}})
	}
}
