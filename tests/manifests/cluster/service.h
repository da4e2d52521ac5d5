// What this room is for: the Service vpsie-coordinator: one address whose connections go to the coordinators
// in turn. What it knows: TCP. What it may not do: look into what it carries.
#ifndef VPSIE_TESTS_MANIFESTS_CLUSTER_SERVICE_H
#define VPSIE_TESTS_MANIFESTS_CLUSTER_SERVICE_H

#include "tests/manifests/cluster/kubelets.h"

#define SERVICE_PORT "7946"

// Listens at KUBELETS_SERVICE_ADDRESS. Aborts when it cannot.
struct service *service_start(struct kubelets *kubelets);
void service_stop(struct service *service); // ends every connection

#endif
