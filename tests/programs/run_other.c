// run_other MODE CMD ARG...: replaces itself with CMD (MODE exec), or runs it as a child and returns its status (MODE fork).
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "fork") == 0) {
    const pid_t child = fork();
    if (child < 0) return 126;
    if (child > 0) {
      int status = 0;
      if (waitpid(child, &status, 0) < 0) return 126;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
