#include "coordinator/model/fields.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/model/resources.h"

static const char *word_at(const void *base, size_t offset)
{
    const char *word;
    memcpy(&word, (const char *)base + offset, sizeof(word));
    return word;
}

static void set_word(void *base, size_t offset, const char *word)
{
    memcpy((char *)base + offset, &word, sizeof(word));
}

static bool same(const struct field *field, const void *object, const void *facts)
{
    const void *kept = (const char *)object + field->to;
    const void *told = (const char *)facts + field->from;
    switch (field->kind) {
    case FIELD_PLAIN: return memcmp(kept, told, field->bytes) == 0;
    case FIELD_NAME:
    case FIELD_VALUE:
    case FIELD_TEXT:
    case FIELD_REVISION: return words_equal(word_at(object, field->to), word_at(facts, field->from));
    case FIELD_LABELS:
    case FIELD_ANNOTATIONS: return labels_equal(kept, told);
    case FIELD_TAINTS: return taints_equal(kept, told);
    case FIELD_RESOURCES: return resources_equal(kept, told);
    }
    return false;
}

enum fields_difference fields_compare(const struct field *fields, size_t count, const void *object,
                                      const void *facts)
{
    enum fields_difference worst = FIELDS_SAME;
    for (size_t i = 0; i < count; i++) {
        if (same(&fields[i], object, facts))
            continue;
        enum fields_difference difference = fields[i].kind == FIELD_REVISION ? FIELDS_REVISION
                                            : fields[i].quiet                ? FIELDS_QUIET
                                                                             : FIELDS_CHANGED;
        if (difference > worst)
            worst = difference;
    }
    return worst;
}

static void copy_revision(const struct field *field, void *object, const void *facts)
{
    free((void *)word_at(object, field->to));
    const char *told = word_at(facts, field->from);
    set_word(object, field->to, xstrdup(told == NULL ? "" : told));
}

static void copy_field(struct keep *keep, const struct field *field, void *object, const void *facts)
{
    void *kept = (char *)object + field->to;
    const void *told = (const char *)facts + field->from;
    switch (field->kind) {
    case FIELD_PLAIN: memcpy(kept, told, field->bytes); break;
    case FIELD_NAME: set_word(object, field->to, keep_name(keep, word_at(facts, field->from))); break;
    case FIELD_VALUE: set_word(object, field->to, keep_value(keep, word_at(facts, field->from))); break;
    case FIELD_TEXT: set_word(object, field->to, keep_text(keep, word_at(facts, field->from))); break;
    case FIELD_REVISION: copy_revision(field, object, facts); break;
    case FIELD_LABELS: *(struct labels *)kept = keep_labels(keep, told); break;
    case FIELD_ANNOTATIONS: *(struct labels *)kept = keep_annotations(keep, told); break;
    case FIELD_TAINTS: *(struct taints *)kept = keep_taints(keep, told); break;
    case FIELD_RESOURCES: *(struct resources *)kept = keep_resources(keep, told); break;
    }
}

void fields_copy(struct keep *keep, const struct field *fields, size_t count, void *object, const void *facts)
{
    for (size_t i = 0; i < count; i++)
        copy_field(keep, &fields[i], object, facts);
}

void fields_copy_revision(const struct field *fields, size_t count, void *object, const void *facts)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind == FIELD_REVISION)
            copy_revision(&fields[i], object, facts);
    }
}

void fields_free_revision(const struct field *fields, size_t count, void *object)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind == FIELD_REVISION) {
            free((void *)word_at(object, fields[i].to));
            set_word(object, fields[i].to, NULL);
        }
    }
}
