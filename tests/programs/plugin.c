// libtrcplugin.so: what plugin_host opens and linked_host links.
volatile long plugin_sink;
long plugin_work(long n) { return plugin_sink = n + 1; }
