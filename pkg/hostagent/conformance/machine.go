package conformance

import "guestclustering.io/operator/pkg/hostagent"

const memoryBytes = 5 << 30 // more than 32 bits hold

// machine makes a machine that is off and goes with the test, and gives its id.
func (s session) machine(pool, name string) string {
	s.t.Helper()
	folder := s.folder(pool)
	results := s.done(newDisk("disk", folder+`\os.vhdx`, 10<<30), call("new", "New-VM", p{
		"Name":               hostagent.Text(name),
		"Path":               hostagent.Text(folder),
		"Generation":         hostagent.Int(2),
		"MemoryStartupBytes": hostagent.Int(memoryBytes),
		"VHDPath":            hostagent.Text(folder + `\os.vhdx`),
	}, "Id"))
	id := s.one(results.ByID("new")).Text("Id")
	s.t.Cleanup(func() { s.run(hostagent.Stop, vmByID("vm", id), removeVM("remove", "vm")) })
	return id
}

func vmByID(id, vmID string, selected ...string) hostagent.Call {
	return call(id, "Get-VM", p{"Id": hostagent.Text(vmID)}, selected...)
}
