// What this room is for: standing in for every function of the TLS library that libmicrohttpd's archive asks
// for. What it knows: that the agent serves plain HTTP only, so that none but the library's own set-up is
// ever called, and 0 tells it that all went well. What it may not do: be linked into anything that serves
// HTTPS. Linked by cmake/agent.cmake: the distribution's libmicrohttpd would bring nine libraries and 2 MiB
// of resident memory for it.
long without_tls(void);

long without_tls(void)
{
    return 0;
}
