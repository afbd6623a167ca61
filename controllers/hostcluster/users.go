package hostcluster

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
)

// users are the objects that name a host cluster, as <kind> <namespace>/<name>, sorted.
type users struct {
	names         []string
	guestClusters int32
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
	}
	for i := range disks.Items {
		u.names = append(u.names, "SharedDisk "+disks.Items[i].Namespace+"/"+disks.Items[i].Name)
	}
	for i := range groups.Items {
		u.names = append(u.names, "AntiAffinityGroup "+groups.Items[i].Namespace+"/"+groups.Items[i].Name)
	}
	slices.Sort(u.names)
	u.guestClusters = int32(len(gcs.Items))
	return u, nil
}
