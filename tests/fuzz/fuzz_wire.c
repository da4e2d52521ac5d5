// Whatever the bytes are, decoding ends with a message within its limits or a reason; and what was taken in
// can be sent on.
#include <stdlib.h>

#include "common/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_refusal(const struct error *error)
{
    require(error->code >= WIRE_FAULT_TOO_LARGE && error->code <= WIRE_FAULT_INVALID &&
            error->text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error error = {0};
    uint32_t version = 0;
    size_t again_length;
    WireReport *report = wire_report_decode(bytes, length, &version, &error);
    if (report == NULL) {
        check_refusal(&error);
    } else {
        // Unknown fields are kept, and varints may have been longer than needed: never larger than it came.
        uint8_t *again = wire_report_encode(report, &again_length, &error);
        require(again != NULL && again_length <= length);
        free(again);
        wire_report_free(report);
    }
    error_clear(&error);
    WireAck *ack = wire_ack_decode(bytes, length, &error);
    if (ack == NULL) {
        check_refusal(&error);
    } else {
        uint8_t *again = wire_ack_encode(ack, &again_length, &error);
        require(again != NULL && again_length <= length);
        free(again);
        wire_ack_free(ack);
    }
    return 0;
}
