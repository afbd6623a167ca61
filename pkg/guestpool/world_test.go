package guestpool_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/answerfile"
	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

const (
	gold  = `C:\ClusterStorage\Gold`
	image = gold + `\Images\ws2022.vhdx`
)

// site is a simulated host cluster that is polled, and a pool that asks the guests on it.
type site struct {
	*testing.T
	world *hypervsim.World
	hosts *hostpool.Cluster
	pool  *guestpool.Pool
	told  *[]string
}

func simulated(t *testing.T, test func(site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world, err := hypervsim.New(hypervsim.DefaultModel(), hypervsim.NewRealClock(1))
		if err != nil {
			t.Fatal(err)
		}
		defer world.Close()
		racks := hostpool.New(t.Context(), clock.RealClock{}, func(hostpool.Change) {})
		defer racks.Close()
		var told []string
		var pool *guestpool.Pool
		pool = guestpool.New(t.Context(), clock.RealClock{}, parseReport, func(key string) {
			s := fmt.Sprint(states(pool.Latest(key)))
			if len(told) == 0 || told[len(told)-1] != s {
				told = append(told, s)
			}
		})
		defer pool.Close()
		config := hostpool.Config{Driver: world.Driver(), DriverKey: "a", Pools: []string{gold}, PollInterval: interval}
		test(site{T: t, world: world, hosts: racks.Set("rack1", config), pool: pool, told: &told})
	})
}

func (s site) must(results hostagent.Results, err error) hostagent.Results {
	s.Helper()
	if err == nil {
		err = results.Err()
	}
	if err != nil {
		s.Fatal(err)
	}
	return results
}

// machine makes a machine with a generalised Windows that is told its name and password, and starts it.
func (s site) machine(host, name, password string) string {
	s.Helper()
	file, err := answerfile.Encode(answerfile.Settings{
		ComputerName: name, Password: hostagent.NewSecret(password), TimeZone: "UTC", Locale: "en-US",
	})
	if err != nil {
		s.Fatal(err)
	}
	folder := gold + `\` + name
	disk := folder + `\` + name + `.vhdx`
	on := func(calls ...hostagent.Call) hostagent.Results {
		b := hostagent.Batch{Target: hostagent.Target{Host: host}, OnError: hostagent.Stop, Calls: calls}
		return s.must(s.hosts.Run(s.Context(), b))
	}
	on(cmdlet.NewStampedFolder("folder", folder, "stamp of "+name), cmdlet.StartCopy("copy", "work-"+name, "hash", image, disk))
	pass(5 * time.Minute)
	made := on(
		cmdlet.SetAnswerFile("answer", disk, file),
		cmdlet.NewVM("vm", cmdlet.NewMachine{Name: name, Folder: folder, Version: "9.0", MemoryBytes: 4 << 30, OSDisk: disk}),
		cmdlet.SetProcessorsAndMemory("size", "vm", cmdlet.MachineSettings{Processors: 2, MemoryBytes: 4 << 30}),
		cmdlet.MakeNewClustered("group", "vm", name),
	)
	on(cmdlet.StartGroup("start", name))
	return made.ByID("vm").Values[0].Text("Id")
}

func (s site) set(ids ...string) {
	subject := guestpool.Subject{Hosts: s.hosts, Forming: true, PollInterval: interval}
	subject.Questions.Features = []string{"Failover-Clustering"}
	for i, id := range ids {
		credentials := map[guest.Account]hostagent.Credential{guest.LocalAccount: credential(local, "Local-1")}
		subject.Members = append(subject.Members, guestpool.Member{VMID: id, Name: fmt.Sprintf("SQL-%c", 'A'+i), Credentials: credentials})
	}
	s.pool.Set("sql", subject)
}

func TestASimulatedGuest(t *testing.T) {
	simulated(t, func(s site) {
		pass(time.Second)
		a := s.machine("hv01", "SQL-A", "Local-1")
		s.set(a)
		pass(10 * time.Minute)
		up := map[string]string{a: "SQL-A, Absent as Local"}
		if diff := cmp.Diff(up, states(s.pool.Latest("sql"))); diff != "" {
			s.Fatalf("once it is set up (-want +got):\n%s\n%q", diff, *s.told)
		}
		if slices.ContainsFunc(*s.told, func(told string) bool { return told == fmt.Sprintf("map[%s:refused Local]", a) }) {
			s.Errorf("it counted as refused on its way: %q", *s.told)
		}

		// It is written to, wherever it is.
		if err := s.world.MoveVM(a, "hv03"); err != nil {
			s.Fatal(err)
		}
		pass(time.Minute)
		install := hostagent.Batch{
			Target: hostagent.Target{VM: a}, OnError: hostagent.Stop, Calls: []hostagent.Call{guestcmdlet.InstallFeatures("install", "Failover-Clustering")},
		}
		s.must(s.pool.Run(s.Context(), "sql", install))
		if m, _ := s.pool.Latest("sql").Member(a); !m.Answered || !slices.Contains(m.Features, "Failover-Clustering") && !m.RestartPending {
			s.Errorf("when Run returns the member is %+v", m)
		}

		// It is restarted, and answers again.
		restart := install
		restart.Calls = []hostagent.Call{guestcmdlet.Restart("restart")}
		s.must(s.pool.Run(s.Context(), "sql", restart))
		pass(10 * time.Second)
		if m, _ := s.pool.Latest("sql").Member(a); m.Answered {
			s.Errorf("while it restarts it is %+v", m)
		}
		pass(5 * time.Minute)
		if m, _ := s.pool.Latest("sql").Member(a); !m.Answered || m.ClusterService != guest.ServiceDisabled {
			s.Errorf("after the restart it is %+v", m)
		}
	})
}
