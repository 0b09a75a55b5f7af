// CUDA's run-time compiler for `driver.cpp`: `compile.py` makes a library of each program, whose path
// stands for its code.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Program {
    std::string source, code, log;
};

std::string work() { return getenv("EMULATOR_WORK"); }

std::string read(const std::string& path) {
    std::string text;
    if (FILE* file = fopen(path.c_str(), "r")) {
        char part[4096];
        for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
        fclose(file);
    }
    return text;
}

} // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) { return *major = 12, *minor = 9, 0; }
const char* nvrtcGetErrorString(int) { return "compilation failed"; }

int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*,
                       const char* const*) {
    *program = new Program{source, "", ""};
    return 0;
}

int nvrtcDestroyProgram(Program** program) {
    delete *program;
    return *program = nullptr, 0;
}

int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    static int number = 0;
    const std::string base = work() + "/program-" + std::to_string(number++);
    const std::string paths[] = {base + ".cu", base + ".options", base + ".log", base + ".path"};
    FILE* file = fopen(paths[0].c_str(), "w");
    fwrite(program->source.data(), 1, program->source.size(), file);
    fclose(file);
    file = fopen(paths[1].c_str(), "w");
    for (int i = 0; i < count; i++) fprintf(file, "%s\n", options[i]);
    fclose(file);
    // Without the libraries here in the way of NVIDIA's own.
    const std::string python = getenv("EMULATOR_PYTHON"), script = getenv("EMULATOR_COMPILE");
    const std::string call = "LD_LIBRARY_PATH= '" + python + "' '" + script + "' '" + base + "'";
    const std::string command = call + " >'" + paths[2] + "' 2>&1";
    const int status = system(command.c_str());
    program->log = read(paths[2]);
    program->code = read(paths[3]);
    for (const std::string& path : paths) remove(path.c_str());
    return status == 0 ? 0 : 6;
}

int nvrtcGetPTXSize(Program* program, size_t* size) { return *size = program->code.size() + 1, 0; }
int nvrtcGetPTX(Program* program, char* to) { return memcpy(to, program->code.c_str(), program->code.size() + 1), 0; }
int nvrtcGetProgramLogSize(Program* program, size_t* size) { return *size = program->log.size() + 1, 0; }
int nvrtcGetProgramLog(Program* program, char* to) {
    return memcpy(to, program->log.c_str(), program->log.size() + 1), 0;
}
}
