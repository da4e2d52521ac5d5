#include "tests/world/api.h"

#include <assert.h>
#include <string.h>

static const struct api_kind_info kinds[API_KIND_COUNT] = {
    [API_NODE] = {"Node", "nodes", "", "v1", false, true, false},
    [API_POD] = {"Pod", "pods", "", "v1", true, true, false},
    [API_NAMESPACE] = {"Namespace", "namespaces", "", "v1", false, true, false},
    [API_SECRET] = {"Secret", "secrets", "", "v1", true, false, false},
    [API_SERVICE] = {"Service", "services", "", "v1", true, true, false},
    [API_CLAIM] = {"PersistentVolumeClaim", "persistentvolumeclaims", "", "v1", true, true, false},
    [API_VOLUME] = {"PersistentVolume", "persistentvolumes", "", "v1", false, true, false},
    [API_BUDGET] = {"PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1", true, true, true},
    [API_DEPLOYMENT] = {"Deployment", "deployments", "apps", "v1", true, true, true},
    [API_REPLICASET] = {"ReplicaSet", "replicasets", "apps", "v1", true, true, true},
    [API_STATEFULSET] = {"StatefulSet", "statefulsets", "apps", "v1", true, true, true},
    [API_DAEMONSET] = {"DaemonSet", "daemonsets", "apps", "v1", true, true, true},
    [API_JOB] = {"Job", "jobs", "batch", "v1", true, true, true},
    [API_STORAGE_CLASS] = {"StorageClass", "storageclasses", "storage.k8s.io", "v1", false, false, false},
    [API_CSI_NODE] = {"CSINode", "csinodes", "storage.k8s.io", "v1", false, false, false},
    [API_ATTACHMENT] = {"VolumeAttachment", "volumeattachments", "storage.k8s.io", "v1", false, true, false},
    [API_PRIORITY_CLASS] = {"PriorityClass", "priorityclasses", "scheduling.k8s.io", "v1", false, false,
                            true},
    [API_LEASE] = {"Lease", "leases", "coordination.k8s.io", "v1", true, false, false},
    [API_EVENT] = {"Event", "events", "events.k8s.io", "v1", true, false, false},
    [API_ENDPOINT_SLICE] = {"EndpointSlice", "endpointslices", "discovery.k8s.io", "v1", true, false, true},
    [API_VALIDATING_WEBHOOK] = {"ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
                                "admissionregistration.k8s.io", "v1", false, false, true},
    [API_NODEGROUP] = {"NodeGroup", "nodegroups", "autoscaler.vpsie.com", "v1alpha1", true, true, true},
    [API_VPSIENODE] = {"VPSieNode", "vpsienodes", "autoscaler.vpsie.com", "v1alpha1", true, true, true},
    [API_CONFIG] = {"AutoscalerConfig", "autoscalerconfigs", "autoscaler.vpsie.com", "v1alpha1", false, true,
                    true},
    [API_CONFIGMAP] = {"ConfigMap", "configmaps", "", "v1", true, false, false},
};

const struct api_kind_info *api_kind_info(enum api_kind kind)
{
    assert((unsigned)kind < API_KIND_COUNT);
    return &kinds[kind];
}

enum api_kind api_kind_find(const char *group, const char *version, const char *plural)
{
    for (unsigned kind = 0; kind < API_KIND_COUNT; kind++) {
        if (strcmp(kinds[kind].group, group) == 0 && strcmp(kinds[kind].version, version) == 0 &&
            strcmp(kinds[kind].plural, plural) == 0)
            return (enum api_kind)kind;
    }
    return API_KIND_COUNT;
}
