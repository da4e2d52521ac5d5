#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/model/quantity.h"
#include "coordinator/schedule/placement.h"

const char *placement_verdict_name(enum placement_verdict verdict)
{
    switch (verdict) {
    case PLACEMENT_FITS: return "fits";
    case PLACEMENT_NODE_NAME: return "node-name";
    case PLACEMENT_UNSCHEDULABLE: return "unschedulable";
    case PLACEMENT_NOT_READY: return "not-ready";
    case PLACEMENT_SELECTOR: return "node-selector";
    case PLACEMENT_AFFINITY: return "node-affinity";
    case PLACEMENT_TAINT: return "taint";
    case PLACEMENT_HOST_PORT: return "host-port";
    case PLACEMENT_RESOURCES: return "resources";
    case PLACEMENT_VOLUME: return "volume";
    case PLACEMENT_ATTACH_LIMIT: return "attach-limit";
    case PLACEMENT_SPREAD: return "topology-spread";
    case PLACEMENT_POD_AFFINITY: return "pod-affinity";
    case PLACEMENT_ANTI_AFFINITY: return "pod-anti-affinity";
    case PLACEMENT_OTHERS_ANTI_AFFINITY: return "pod-anti-affinity-of-another";
    case PLACEMENT_BEYOND: return "beyond";
    }
    return "unknown";
}

static void describe_lack(const struct resources_lack *lack, char *buffer, size_t bytes)
{
    char asked[40];
    char left[40];
    if (strcmp(lack->name, "cpu") == 0) {
        quantity_format_cpu(asked, sizeof(asked), lack->asked);
        quantity_format_cpu(left, sizeof(left), lack->free);
        left[strcspn(left, " ")] = '\0';
        asked[strcspn(asked, " ")] = '\0';
        snprintf(buffer, bytes, "needs %s cpu, %s free", asked, left);
    } else if (strcmp(lack->name, "memory") == 0 || strcmp(lack->name, "ephemeral-storage") == 0) {
        quantity_format_memory(asked, sizeof(asked), lack->asked);
        quantity_format_memory(left, sizeof(left), lack->free);
        snprintf(buffer, bytes, "needs %s %s, %s free", asked, lack->name, left);
    } else {
        snprintf(buffer, bytes, "needs %" PRId64 " %s, %" PRId64 " free", lack->asked, lack->name,
                 lack->free);
    }
}

static void describe_needs(uint32_t needs, char *buffer, size_t bytes)
{
    static const struct {
        uint32_t need;
        const char *text;
    } names[] = {
        {POD_NEEDS_POD_AFFINITY, "inter-pod affinity"},
        {POD_NEEDS_SPREAD, "topology spread"},
        {POD_NEEDS_VOLUME, "a persistent volume"},
        {POD_NEEDS_HOST_PORT, "a host port"},
        {POD_NEEDS_RESOURCE_CLAIM, "a resource claim"},
        {POD_NEEDS_UNREADABLE, "something that could not be read"},
    };
    size_t used = 0;
    snprintf(buffer, bytes, "asks for what is beyond these rules: ");
    used = strlen(buffer);
    const char *comma = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && used < bytes; i++) {
        if ((needs & names[i].need) == 0)
            continue;
        snprintf(buffer + used, bytes - used, "%s%s", comma, names[i].text);
        used += strlen(buffer + used);
        comma = ", ";
    }
}

static void describe_taint(const struct taint *taint, char *buffer, size_t bytes)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    snprintf(buffer, bytes, "taint %s%s%s:%s not tolerated", taint->key, *taint->value == '\0' ? "" : "=",
             taint->value, effects[taint->effect]);
}

// "zone" for topology.kubernetes.io/zone: what people call it.
static const char *short_key(const char *key)
{
    static const char prefix[] = "topology.kubernetes.io/";
    return strncmp(key, prefix, sizeof(prefix) - 1) == 0 ? key + sizeof(prefix) - 1 : key;
}

static void describe_port(const struct placement *placement, char *buffer, size_t bytes)
{
    static const char *const protocols[] = {"TCP", "UDP", "SCTP"};
    const struct host_port *port = placement->port;
    const struct pod *other = placement->other;
    snprintf(buffer, bytes, "host port %" PRId32 "/%s is taken%s%s%s%s", port->port,
             protocols[port->protocol], other != NULL ? " by " : "", other != NULL ? other->space : "",
             other != NULL ? "/" : "", other != NULL ? other->name : "");
}

static void describe_volume(const struct placement *placement, char *buffer, size_t bytes)
{
    const char *claim = placement->claim;
    switch (placement->volume) {
    case PLACEMENT_VOLUME_MISSING: snprintf(buffer, bytes, "volume claim %s is not there", claim); return;
    case PLACEMENT_VOLUME_GOING: snprintf(buffer, bytes, "volume claim %s is being deleted", claim); return;
    case PLACEMENT_VOLUME_LOST: snprintf(buffer, bytes, "the volume of claim %s is gone", claim); return;
    case PLACEMENT_VOLUME_UNBOUND:
        snprintf(buffer, bytes, "volume claim %s must be bound first", claim);
        return;
    case PLACEMENT_VOLUME_IN_USE:
        snprintf(buffer, bytes, "volume %s is in use by another pod (ReadWriteOncePod)", claim);
        return;
    case PLACEMENT_VOLUME_ELSEWHERE:
        if (placement->key != NULL && placement->value != NULL)
            snprintf(buffer, bytes, "volume %s can only be used in %s %s", claim, short_key(placement->key),
                     placement->value);
        else
            snprintf(buffer, bytes, "volume %s cannot be used there%s%s", claim,
                     placement->key != NULL ? ": " : "", placement->key != NULL ? placement->key : "");
        return;
    case PLACEMENT_VOLUME_PLANNED:
        snprintf(buffer, bytes, "volume %s is being made for node %s", claim, placement->value);
        return;
    case PLACEMENT_VOLUME_TOPOLOGY:
        snprintf(buffer, bytes, "the storage class of volume %s makes none there", claim);
        return;
    case PLACEMENT_VOLUME_NOT_MADE:
        snprintf(buffer, bytes, "the storage class of volume %s makes none: one must be there already",
                 claim);
        return;
    }
}

static void describe_spread(const struct placement *placement, char *buffer, size_t bytes)
{
    const char *key = short_key(placement->spread->topology_key);
    if (placement->skew < 0)
        snprintf(buffer, bytes, "spread on %s: the node has no such label", key);
    else
        snprintf(buffer, bytes, "spread on %s: skew would be %" PRId64 ", at most %" PRId32, key,
                 placement->skew, placement->spread->max_skew);
}

static void describe_anti(const struct placement *placement, char *buffer, size_t bytes)
{
    const struct pod *other = placement->other;
    bool own = placement->verdict == PLACEMENT_ANTI_AFFINITY;
    const char *key = short_key(placement->term->topology_key);
    if (other != NULL)
        snprintf(buffer, bytes, "%s %s/%s on %s", own ? "anti-affinity with" : "anti-affinity of",
                 other->space, other->name, key);
    else
        snprintf(buffer, bytes, "%s on %s", own ? "anti-affinity" : "anti-affinity of another pod", key);
}

void placement_describe(const struct placement *placement, char *buffer, size_t bytes)
{
    assert(placement != NULL && buffer != NULL && bytes > 0);
    switch (placement->verdict) {
    case PLACEMENT_FITS: snprintf(buffer, bytes, "fits"); break;
    case PLACEMENT_NODE_NAME: snprintf(buffer, bytes, "asks for another node by name"); break;
    case PLACEMENT_UNSCHEDULABLE: snprintf(buffer, bytes, "node is unschedulable (cordoned)"); break;
    case PLACEMENT_NOT_READY: snprintf(buffer, bytes, "node is not ready"); break;
    case PLACEMENT_SELECTOR:
        snprintf(buffer, bytes, "node selector does not match on label %s", placement->key);
        break;
    case PLACEMENT_AFFINITY:
        if (placement->key == NULL)
            snprintf(buffer, bytes, "no term of the required node affinity matches");
        else
            snprintf(buffer, bytes, "required node affinity does not match on %s", placement->key);
        break;
    case PLACEMENT_TAINT: describe_taint(placement->taint, buffer, bytes); break;
    case PLACEMENT_HOST_PORT: describe_port(placement, buffer, bytes); break;
    case PLACEMENT_RESOURCES: describe_lack(&placement->lack, buffer, bytes); break;
    case PLACEMENT_VOLUME: describe_volume(placement, buffer, bytes); break;
    case PLACEMENT_ATTACH_LIMIT:
        snprintf(buffer, bytes, "attach limit of driver %s reached: %" PRId64, placement->lack.name,
                 placement->lack.free);
        break;
    case PLACEMENT_SPREAD: describe_spread(placement, buffer, bytes); break;
    case PLACEMENT_POD_AFFINITY:
        snprintf(buffer, bytes, "affinity: no pod that it asks for in this %s",
                 short_key(placement->term->topology_key));
        break;
    case PLACEMENT_ANTI_AFFINITY:
    case PLACEMENT_OTHERS_ANTI_AFFINITY: describe_anti(placement, buffer, bytes); break;
    case PLACEMENT_BEYOND: describe_needs(placement->needs, buffer, bytes); break;
    }
}
