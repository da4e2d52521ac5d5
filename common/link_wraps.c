// Two functions of NNG 1.x stand behind linker wraps (cmake/dependencies.cmake), because neither behaviour
// can be set from outside.
#include <errno.h>
#include <nng/nng.h>

int __real_nni_plat_errno(int code);
int __wrap_nni_plat_errno(int code);
int __wrap_nni_plat_ncpu(void);

// The library turns EPIPE and EBADF of one connection into NNG_ECLOSED, and its accept and dial loops take
// NNG_ECLOSED for "the listener itself was closed": no further action. So one peer that goes away while the
// connection is being negotiated stops a listener, or a dialer, for ever. As NNG_ECONNSHUT the same event
// ends that connection alone.
int __wrap_nni_plat_errno(int code)
{
    return code == EPIPE || code == EBADF ? NNG_ECONNSHUT : __real_nni_plat_errno(code);
}

// The library starts several threads a CPU, 280 of them on a machine with 64: ours need the fewest there can
// be.
int __wrap_nni_plat_ncpu(void)
{
    return 1;
}
