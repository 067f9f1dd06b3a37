/* Talks with a model in plain C: hello_chat MODEL, one line of standard input after the other. */
#include <hearth/c.h>
#include <stdio.h>

static bool print(void* user, const char* text, size_t size) {
  (void)user;
  fwrite(text, 1, size, stdout);
  return fflush(stdout) == 0;
}

int main(int argc, char** argv) {
  HearthError error;
  HearthModel* model = NULL;
  HearthSession* session = NULL;
  HearthChat* chat = NULL;
  HearthCode code = hearth_model_open(argc > 1 ? argv[1] : "model.gguf", NULL, &model, &error);
  if (code == HEARTH_OK) code = hearth_session_create(model, NULL, &session, &error);
  if (code == HEARTH_OK) code = hearth_chat_create(session, NULL, NULL, &chat, &error);
  char line[4096];
  while (code == HEARTH_OK && fgets(line, sizeof line, stdin)) {
    code = hearth_chat_say(chat, line, HEARTH_NUL, print, NULL, NULL, &error);
    puts("");
  }
  if (code != HEARTH_OK) fprintf(stderr, "%s: %s\n", hearth_error_code_name(code), error.message);
  hearth_chat_free(chat);
  hearth_session_free(session);
  hearth_model_free(model);
  return code != HEARTH_OK;
}
