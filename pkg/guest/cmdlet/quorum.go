package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Each of these sets what decides beside the nodes' votes; the one that was before goes ("Set-ClusterQuorum").

// DiskWitness makes a cluster disk the witness.
func DiskWitness(id, resource string) hostagent.Call {
	return call(id, "Set-ClusterQuorum", p{"DiskWitness": hostagent.Text(resource)})
}

// FileShareWitness makes a share the witness, on which the cluster's name needs full control.
func FileShareWitness(id, path string) hostagent.Call {
	return call(id, "Set-ClusterQuorum", p{"FileShareWitness": hostagent.Text(path)})
}

// NoWitness leaves the nodes alone.
func NoWitness(id string) hostagent.Call {
	return call(id, "Set-ClusterQuorum", p{"NoWitness": hostagent.Bool(true)})
}

// CloudWitness makes an Azure storage account the witness. Windows takes the key as text alone, so that it is one in the
// guest's own process (Set-CloudWitness).
func CloudWitness(id, account, endpoint string, key hostagent.Secret) hostagent.Call {
	parameters := p{"AccountName": hostagent.Text(account), "AccessKey": key}
	if endpoint != "" {
		parameters["Endpoint"] = hostagent.Text(endpoint)
	}
	return call(id, "Set-CloudWitness", parameters)
}
