#include "coordinator/kube/kinds.h"

#include "coordinator/kube/decode.h"

#define OBJECTS_MAX 100000u // of the kinds for which the model states no limit

// One filler a kind: the facts are made in the event's arena, the union's member and the decoder differ.
#define FILLER(suffix, member, type)                                                                         \
    static int fill_##suffix(const cJSON *json, struct event *event, struct error *error)                    \
    {                                                                                                        \
        event->object.member = ARENA_NEW(event->arena, type);                                                \
        return decode_##suffix(json, event->arena, event->object.member, error);                             \
    }

FILLER(node, node, struct node_facts)
FILLER(pod, pod, struct pod_facts)
FILLER(budget, budget, struct budget_facts)
FILLER(daemonset, daemonset, struct daemonset_facts)
FILLER(volume_attachment, attachment, struct volume_attachment_facts)
FILLER(namespace, space, struct namespace_facts)
FILLER(claim, claim, struct claim_facts)
FILLER(volume, volume, struct volume_facts)
FILLER(storage_class, storage_class, struct storage_class_facts)
FILLER(csi_node, csi_node, struct csi_node_facts)
FILLER(nodegroup, group, struct nodegroup_facts)
FILLER(intention, intention, struct intention_facts)
FILLER(config, config, struct config_facts)

const struct kind kinds[OBJECT_KIND_COUNT] = {
    [OBJECT_NODE] = {"Node", "/api/v1/nodes", "", OBJECT_NODE, FACTS_NODES_MAX, false, fill_node},
    [OBJECT_POD] = {"Pod", "/api/v1/pods", "", OBJECT_POD, FACTS_PODS_MAX, false, fill_pod},
    [OBJECT_BUDGET] = {"PodDisruptionBudget", "/apis/policy/v1/poddisruptionbudgets", "", OBJECT_BUDGET,
                       OBJECTS_MAX, false, fill_budget},
    [OBJECT_DAEMONSET] = {"DaemonSet", "/apis/apps/v1/daemonsets", "", OBJECT_DAEMONSET, OBJECTS_MAX, false,
                          fill_daemonset},
    [OBJECT_VOLUME_ATTACHMENT] = {"VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments", "",
                                  OBJECT_VOLUME_ATTACHMENT, OBJECTS_MAX, false, fill_volume_attachment},
    [OBJECT_NAMESPACE] = {"Namespace", "/api/v1/namespaces", "", OBJECT_NAMESPACE, OBJECTS_MAX, false,
                          fill_namespace},
    [OBJECT_CLAIM] = {"PersistentVolumeClaim", "/api/v1/persistentvolumeclaims", "", OBJECT_CLAIM,
                      FACTS_PODS_MAX, false, fill_claim},
    [OBJECT_VOLUME] = {"PersistentVolume", "/api/v1/persistentvolumes", "", OBJECT_VOLUME, FACTS_PODS_MAX,
                       false, fill_volume},
    [OBJECT_STORAGE_CLASS] = {"StorageClass", "/apis/storage.k8s.io/v1/storageclasses", "",
                              OBJECT_STORAGE_CLASS, OBJECTS_MAX, false, fill_storage_class},
    [OBJECT_CSI_NODE] = {"CSINode", "/apis/storage.k8s.io/v1/csinodes", "", OBJECT_CSI_NODE, FACTS_NODES_MAX,
                         false, fill_csi_node},
    [OBJECT_NODEGROUP] = {"NodeGroup", KIND_GROUP_PATH "/nodegroups", "", OBJECT_NODEGROUP, OBJECTS_MAX, true,
                          fill_nodegroup},
    [OBJECT_INTENTION] = {"VPSieNode", KIND_GROUP_PATH "/vpsienodes", "", OBJECT_INTENTION, OBJECTS_MAX, true,
                          fill_intention},
    [OBJECT_CONFIG] = {"AutoscalerConfig", KIND_GROUP_PATH "/autoscalerconfigs", "metadata.name%3Ddefault",
                       OBJECT_CONFIG, OBJECTS_MAX, true, fill_config},
};
