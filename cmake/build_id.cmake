# Writes OUTPUT with a hash of SOURCES and VERSION: cmake -DSOURCES=... -DVERSION=... -DOUTPUT=... -P build_id.cmake
set(hashes "${VERSION}")
foreach(source ${SOURCES})
  file(SHA256 ${source} hash)
  string(APPEND hashes " ${hash}")
endforeach()
string(SHA256 hash "${hashes}")
file(WRITE ${OUTPUT} "#include \"codegen/backend.h\"\n\nconst char* const descent::codegen::build_id = \"${hash}\";\n")
