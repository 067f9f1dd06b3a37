"""hearth for Conan 2, from the checkout that this file lies in: conan create packaging/conan."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

CHECKOUT = os.path.join(os.path.dirname(__file__), "..", "..")


class Hearth(ConanFile):
    name = "hearth"
    license = "MIT"
    description = "Runs GGUF language models on CPUs"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "jinja": [True, False], "isas": ["ANY"]}
    default_options = {"shared": False, "fPIC": True, "jinja": True, "isas": "all"}
    implements = ["auto_shared_fpic"]

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "..", "..", "include", "hearth", "version.h"))
        self.version = ".".join(re.search(rf"HEARTH_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "README.md", "cmake/*", "include/*", "kernels/*", "lib/*"):
            copy(self, pattern, CHECKOUT if os.path.isdir(CHECKOUT) else self.recipe_folder, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["HEARTH_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["HEARTH_BUILD_TESTS"] = False
        toolchain.cache_variables["HEARTH_JINJA"] = bool(self.options.jinja)
        toolchain.cache_variables["HEARTH_ISAS"] = str(self.options.isas)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        self.cpp_info.libs = ["hearth"]
        self.cpp_info.set_property("cmake_target_name", "hearth::hearth")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread", "m"]
