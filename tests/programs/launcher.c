// launcher: one function of its own; everything else is in liblauncher.so.1 that it links, as some python3 executables are.
int launcher_main(int argc, char **argv);
int main(int argc, char **argv) { return launcher_main(argc, argv); }
