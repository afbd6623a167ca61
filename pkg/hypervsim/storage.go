package hypervsim

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// storageObject is an object of Windows' storage management on a host: a disk, or a partition of one.
type storageObject struct {
	record
	class string
	mount *mount
}

func (o storageObject) identity() any {
	return [...]any{o.class, o.mount, o.record["number"], o.record["partitionnumber"]}
}
func (o storageObject) names() []string { return slices.Sorted(maps.Keys(o.record)) }

// The classes of storage management that are simulated on hosts, and what matters of their values ("MSFT_Disk class",
// "MSFT_Partition class").
const (
	diskClass      = "MSFT_Disk"
	partitionClass = "MSFT_Partition"

	busSAS        = int64(10)
	busFileBacked = int64(15)

	systemPartition   = "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}"
	reservedPartition = "{e3c9e316-0b5c-4db8-817d-f92df00215ae}"
	dataPartition     = "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}"

	invalidParameter = int64(5)
	accessPathInUse  = int64(42002)
	hiddenPartition  = int64(42004)
)

// layout is how set-up divides a disk for Windows ("UEFI/GPT-based hard drive partitions").
var layout = []string{systemPartition, reservedPartition, dataPartition}

// disks are a host's own disk, and those that it has mounted.
func (h *host) disks() []storageObject {
	own := record{"number": int64(0), "bustype": busSAS, "location": "PCI Slot 1 : Adapter 0 : Port 0", "isoffline": false}
	out := []storageObject{{class: diskClass, record: own}}
	for _, m := range h.mounts {
		r := record{"number": m.number, "bustype": busFileBacked, "location": m.file.path, "isoffline": false}
		out = append(out, storageObject{class: diskClass, mount: m, record: r})
	}
	return out
}

// partitions are those of mounted disks that hold a Windows. Of others none are known.
func (h *host) partitions() []storageObject {
	var out []storageObject
	for _, m := range h.mounts {
		if m.file.disk.windows == 0 {
			continue
		}
		for i, kind := range layout {
			r := record{"disknumber": m.number, "partitionnumber": int64(i + 1), "gpttype": kind, "mbrtype": nil, "driveletter": nil}
			if kind == dataPartition && m.letter != "" {
				r["driveletter"] = m.letter[:1]
			}
			out = append(out, storageObject{class: partitionClass, mount: m, record: r})
		}
	}
	return out
}

// numberFilter is the one kind of filter that is known here.
var numberFilter = regexp.MustCompile(`^(\w+) = (\d+)$`)

// storageManagement answers Get-CimInstance for objects of storage management.
func (c *call) storageManagement(objects []storageObject) error {
	filter := numberFilter.FindStringSubmatch(c.text("Filter"))
	if c.has("Filter") && filter == nil {
		return refuse("InvalidArgument", "0x80041017", "HRESULT 0x80041017", c.text("Filter"), "Invalid query.")
	}
	for _, o := range objects {
		if filter == nil || asText(o.property(strings.ToLower(filter[1]))) == filter[2] {
			c.emit(o)
		}
	}
	return nil
}

// invokeCIMMethod answers Invoke-CimMethod for what named functions ask of partitions. Like Windows it tells what is wrong as a
// number.
func invokeCIMMethod(c *call) error {
	method := c.text("MethodName")
	o, _ := c.args["inputobject"].(storageObject)
	if o.class != partitionClass || !strings.EqualFold(method, "AddAccessPath") {
		return refuse("MetadataError", "0x80041055", "HRESULT 0x80041055", method, "Method %q is not simulated.", method)
	}
	c.emit(record{"returnvalue": c.addAccessPath(o)})
	return nil
}

// addAccessPath is MSFT_Partition's method, for the next drive letter that is free ("AddAccessPath method of the
// MSFT_Partition class").
func (c *call) addAccessPath(o storageObject) int64 {
	arguments, _ := c.args["arguments"].(map[string]any)
	wantsLetter, _ := arguments["AssignDriveLetter"].(bool)
	switch {
	case !wantsLetter || !slices.Contains(c.host.mounts, o.mount):
		return invalidParameter
	case o.record["gpttype"] != dataPartition:
		return hiddenPartition
	case o.mount.letter != "":
		return accessPathInUse
	}
	o.mount.giveLetter()
	c.did(o.mount.file.path + " is at " + o.mount.letter)
	return 0
}
