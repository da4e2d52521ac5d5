// A third behaviour of NNG 1.x that cannot be set from outside stands behind linker wraps here
// (cmake/dependencies.cmake).
//
// When a connection is closed on our side (an oversized or malformed message, a send that failed, a peer that
// was cut off) in the instant in which bytes of its peer have come in, the transport's callback finds its
// bytes good and asks the stream for more. But the operation it asks with was stopped by the close, and the
// library then returns without a word: whoever waits for the message waits for ever, and so does the one
// thread that takes closed connections apart. From then on no connection is ever freed again, and closing the
// socket hangs. Any peer that can reach the port can bring this about by sending without reading.
//
// So a stream operation that was refused because it had been stopped is finished here, as the failure it is.
// Not as NNG_ECANCELED or NNG_ECLOSED, which accept loops take for their own end (see link_wraps.c).
#include <nng/nng.h>
#include <stddef.h>

int __real_nni_aio_begin(nng_aio *aio) __attribute__((weak)); // a library without it does not call the wrap
int __wrap_nni_aio_begin(nng_aio *aio);
void __real_nng_stream_recv(nng_stream *stream, nng_aio *aio);
void __wrap_nng_stream_recv(nng_stream *stream, nng_aio *aio);
void __real_nng_stream_send(nng_stream *stream, nng_aio *aio);
void __wrap_nng_stream_send(nng_stream *stream, nng_aio *aio);
void nni_aio_finish_error(nng_aio *aio, int code); // of the library, between its own files

static _Thread_local const nng_aio *refused; // by the last operation of this thread

int __wrap_nni_aio_begin(nng_aio *aio)
{
    int code = __real_nni_aio_begin(aio);
    if (code != 0)
        refused = aio;
    return code;
}

void __wrap_nng_stream_recv(nng_stream *stream, nng_aio *aio)
{
    refused = NULL;
    __real_nng_stream_recv(stream, aio);
    if (refused == aio)
        nni_aio_finish_error(aio, NNG_ECONNSHUT);
}

void __wrap_nng_stream_send(nng_stream *stream, nng_aio *aio)
{
    refused = NULL;
    __real_nng_stream_send(stream, aio);
    if (refused == aio)
        nni_aio_finish_error(aio, NNG_ECONNSHUT);
}
