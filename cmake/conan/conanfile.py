# conan create <checkout>/cmake/conan -s compiler.cppstd=20
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout


class PrefoptConan(ConanFile):
    name = "prefopt"
    description = "Preference-optimization losses with analytic gradients"
    license = "MIT"
    topics = ("preference-optimization", "dpo", "rlhf", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    def _checkout(self):
        return os.path.normpath(os.path.join(self.recipe_folder, "..", ".."))

    def set_version(self):
        header = load(self, os.path.join(self._checkout(), "include", "prefopt", "version.hpp"))
        self.version = ".".join(re.findall(r"#define PREFOPT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def export_sources(self):
        for pattern in ("LICENSE", "include/*.hpp", "cmake/add_kernels.cmake", "cmake/kernels/*"):
            copy(self, pattern, self._checkout(), self.export_sources_folder)

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("xsimd/[>=8.1 <15]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "include/*.hpp", self.source_folder, self.package_folder)
        copy(self, "cmake/*", self.source_folder, self.package_folder)

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "prefopt")
        self.cpp_info.set_property("cmake_target_name", "prefopt::prefopt")
        self.cpp_info.set_property("pkg_config_name", "prefopt")
        self.cpp_info.set_property("cmake_build_modules", ["cmake/add_kernels.cmake"])
