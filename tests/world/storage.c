// The controllers of volumes: claims of ephemeral volumes are made and go with their pods, classes that bind
// at once get their volumes, volumes go with their claims; and which volumes a pod has attached on its node.
#include <stdio.h>
#include <string.h>

#include "tests/world/board.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

#define NAME_BYTES 600

static void make_ephemeral_claims(struct world *world, const struct api_object *pod)
{
    const cJSON *entry;
    char name[NAME_BYTES];
    cJSON_ArrayForEach(entry, json_at(pod->document->json, "spec.volumes"))
    {
        const cJSON *template = json_at(entry, "ephemeral.volumeClaimTemplate");
        if (template == NULL || !board_claim_name(entry, pod->name, name, sizeof name) ||
            api_find(world->api, API_CLAIM, pod->space, name) != NULL)
            continue;
        cJSON *claim = json_of("{'metadata':{'name':'%s'}}", name);
        json_set(claim, "metadata.ownerReferences", owner_reference(pod));
        json_set(claim, "spec", cJSON_Duplicate(json_key(template, "spec"), true));
        api_create(world->api, API_CLAIM, pod->space, claim);
    }
}

static const cJSON *class_of(const struct world *world, const cJSON *claim)
{
    const struct api_object *class =
        api_find(world->api, API_STORAGE_CLASS, "", json_text(claim, "spec.storageClassName"));
    return class == NULL ? NULL : class->document->json;
}

// A class that waits for no consumer: its volume can be used anywhere.
static void bind_at_once(struct world *world, const struct api_object *claim)
{
    const cJSON *json = claim->document->json, *class = class_of(world, json);
    if (class == NULL || json_text(json, "spec.volumeName")[0] != 0 ||
        strcmp(json_text(class, "volumeBindingMode"), "Immediate") != 0)
        return;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "pvc-%s", claim->uid);
    api_create(world->api, API_VOLUME, "",
               json_of("{'metadata':{'name':'%s'},'spec':{'csi':{'driver':'%s','volumeHandle':'%s'},"
                       "'claimRef':{'namespace':'%s','name':'%s','uid':'%s'}}}",
                       name, json_text(class, "provisioner"), name, claim->space, claim->name, claim->uid));
    cJSON *wanted = api_copy(claim);
    json_set_text(wanted, "spec.volumeName", name);
    json_set_text(wanted, "status.phase", "Bound");
    api_put(world->api, claim, wanted);
}

static bool is_attached(const struct world *world, const char *volume_name)
{
    for (size_t i = 0; i < api_count(world->api, API_ATTACHMENT); i++) {
        const cJSON *attachment = api_at(world->api, API_ATTACHMENT, i)->document->json;
        if (strcmp(json_text(attachment, "spec.source.persistentVolumeName"), volume_name) == 0)
            return true;
    }
    return false;
}

// The claim that the volume belonged to is gone.
static bool is_left(const struct world *world, const struct api_object *volume)
{
    const cJSON *reference = json_at(volume->document->json, "spec.claimRef");
    if (reference == NULL || json_text(reference, "uid")[0] == 0)
        return false;
    const struct api_object *claim =
        api_find(world->api, API_CLAIM, json_text(reference, "namespace"), json_text(reference, "name"));
    return (claim == NULL || strcmp(claim->uid, json_text(reference, "uid")) != 0) &&
           !is_attached(world, volume->name);
}

void storage_run(struct world *world)
{
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < pods.count; i++) {
        if (!pod_is_over(pods.items[i].document->json) && !pod_is_leaving(pods.items[i].document->json))
            make_ephemeral_claims(world, &pods.items[i]);
    }
    AUTOLIST struct api_list claims = api_snapshot(world->api, API_CLAIM, NULL);
    for (size_t i = 0; i < claims.count; i++)
        bind_at_once(world, &claims.items[i]);
    AUTOLIST struct api_list volumes = api_snapshot(world->api, API_VOLUME, NULL);
    for (size_t i = 0; i < volumes.count; i++) {
        if (is_left(world, &volumes.items[i]))
            api_delete(world->api, API_VOLUME, "", volumes.items[i].name, (struct api_preconditions){0}, 0);
    }
}

// ---- what is attached

void storage_volumes(const struct world *world, const cJSON *pod, void (*each)(void *, const char *),
                     void *context)
{
    const cJSON *entry;
    char name[NAME_BYTES];
    cJSON_ArrayForEach(entry, json_at(pod, "spec.volumes"))
    {
        if (!board_claim_name(entry, json_text(pod, "metadata.name"), name, sizeof name))
            continue;
        const struct api_object *claim =
            api_find(world->api, API_CLAIM, json_text(pod, "metadata.namespace"), name);
        const char *volume = claim == NULL ? "" : json_text(claim->document->json, "spec.volumeName");
        if (volume[0] != 0)
            each(context, volume);
    }
    const char *told = json_key_text(json_at(pod, "metadata.annotations"), USE_VOLUME);
    if (told[0] != 0)
        each(context, told);
}
