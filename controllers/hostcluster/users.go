package hostcluster

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/hyperv"
)

// users are the objects that name a host cluster, as <kind> <namespace>/<name>, sorted.
type users struct {
	names         []string
	guestClusters int32
	// pools are the folders that hold what they have, whatever the host cluster declares now.
	pools []string
}

func usersOf(ctx context.Context, c client.Reader, hostCluster string) (users, error) {
	var u users
	named := client.MatchingFields{hostref.Field: hostCluster}
	var gcs v1alpha1.GuestClusterList
	var disks v1alpha1.SharedDiskList
	var groups v1alpha1.AntiAffinityGroupList
	for _, list := range []client.ObjectList{&gcs, &disks, &groups} {
		if err := c.List(ctx, list, named); err != nil {
			return u, fmt.Errorf("listing users of host cluster: %w", err)
		}
	}
	for i := range gcs.Items {
		u.names = append(u.names, "GuestCluster "+gcs.Items[i].Namespace+"/"+gcs.Items[i].Name)
		u.addPool(gcs.Items[i].Status.StoragePoolPath)
	}
	for i := range disks.Items {
		u.names = append(u.names, "SharedDisk "+disks.Items[i].Namespace+"/"+disks.Items[i].Name)
		u.addPool(hyperv.DirName(disks.Items[i].Status.Folder))
	}
	for i := range groups.Items {
		u.names = append(u.names, "AntiAffinityGroup "+groups.Items[i].Namespace+"/"+groups.Items[i].Name)
	}
	slices.Sort(u.names)
	slices.Sort(u.pools)
	u.guestClusters = int32(len(gcs.Items))
	return u, nil
}

func (u *users) addPool(path string) {
	known := slices.ContainsFunc(u.pools, func(pool string) bool { return hyperv.SamePath(pool, path) })
	if path != "" && !known {
		u.pools = append(u.pools, path)
	}
}
