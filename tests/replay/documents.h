// What this room is for: what the model knows of a cluster, written down again as Kubernetes' own objects, so
// that the world's scheduler can judge it. What it knows: the model's facts, the API's fields. What it may
// not do: leave out anything that a filter looks at.
#ifndef VPSIE_TESTS_REPLAY_DOCUMENTS_H
#define VPSIE_TESTS_REPLAY_DOCUMENTS_H

#include <cjson/cJSON.h>

#include "coordinator/model/cluster.h"

// Each is the caller's to delete.
cJSON *document_of_pod(const struct pod_shape *shape, const char *name,
                       const struct pod *pod); // pod may be NULL
cJSON *document_of_node(const char *name, const struct labels *labels, const struct taints *taints,
                        const struct resources *allocatable, bool unschedulable, bool ready);
cJSON *document_of_namespace(const struct namespace_facts *facts);
cJSON *document_of_claim(const struct claim_facts *facts);
cJSON *document_of_volume(const struct volume_facts *facts);
cJSON *document_of_storage_class(const struct storage_class_facts *facts);
cJSON *document_of_csi_node(const char *node_name, const struct csi_driver_limit *drivers, uint32_t count);
cJSON *document_of_attachment(const struct attachment *attachment);

#endif
