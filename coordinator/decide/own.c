#include "coordinator/decide/own.h"

#include <string.h>

#define KEY_APPLICATION "app.kubernetes.io/name"

const struct pod *own_pod(const struct core *core)
{
    if (core->config.own_pod[0] == '\0')
        return NULL;
    return cluster_pod(core->cluster, core->config.own_space, core->config.own_pod);
}

// Of one ReplicaSet, or during a rollout of one Deployment.
static bool is_another_of(const struct pod *own, const struct pod *pod)
{
    if (pod == own || strcmp(pod->space, own->space) != 0)
        return false;
    if (own->controller_uid[0] != '\0' && strcmp(pod->controller_uid, own->controller_uid) == 0)
        return true;
    const char *mine = labels_get(&own->shape->facts.labels, KEY_APPLICATION);
    const char *its = labels_get(&pod->shape->facts.labels, KEY_APPLICATION);
    return mine != NULL && its != NULL && strcmp(mine, its) == 0;
}

const struct pod *own_standby(const struct core *core, const struct node *node)
{
    const struct pod *own = own_pod(core);
    for (uint32_t i = 0; own != NULL && i < core->cluster->node_count; i++) {
        const struct node *other = core->cluster->nodes[i];
        if (other == node || other->ready != NODE_READY_TRUE || other->unschedulable)
            continue;
        for (const struct pod *pod = other->pods; pod != NULL; pod = pod->next)
            if (pod->ready && pod->deletion_ms == 0 && !pod->terminal && is_another_of(own, pod))
                return pod;
    }
    return NULL;
}

bool own_may_leave(const struct core *core, const struct node *node)
{
    const struct pod *own = own_pod(core);
    return own == NULL || own->node != node || own_standby(core, node) != NULL;
}
