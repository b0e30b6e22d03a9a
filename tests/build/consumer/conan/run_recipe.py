"""run_recipe.py RECIPE WORK: goes through a Conan recipe's methods in Conan's order, with the few functions of Conan
that the recipe uses replaced by their essence. Prints the version; leaves the package in WORK/package."""
import fnmatch
import importlib.util
import os
import shutil
import sys
import types


class Recorder:
    """Takes any attribute and remembers the properties that are set."""

    def __init__(self):
        self.properties = {}

    def set_property(self, name, value):
        self.properties[name] = value

    def clear(self):
        self.properties.clear()


class ConanFile:
    def __init__(self):
        self.cpp_info, self.info, self.required = Recorder(), Recorder(), []

    def requires(self, reference, **_):
        self.required.append(reference)


def copy(_, pattern, source, target):
    copied = 0
    for folder, _, files in os.walk(source):
        for file in files:
            name = os.path.relpath(os.path.join(folder, file), source)
            if fnmatch.fnmatch(name, pattern):
                os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
                shutil.copy(os.path.join(source, name), os.path.join(target, name))
                copied += 1
    assert copied, f"nothing in {source} is {pattern}"


def load(_, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def module(name, **contents):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(contents)


standards = []
module("conan", ConanFile=ConanFile)
module("conan.tools")
module("conan.tools.build", check_min_cppstd=lambda _, standard: standards.append(standard), can_run=None)
module("conan.tools.cmake", CMake=None, cmake_layout=None)
module("conan.tools.files", copy=copy, load=load)
module("conan.tools.layout", basic_layout=lambda _: None)


def load_recipe(path):
    spec = importlib.util.spec_from_file_location("recipe", path)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    (found,) = [value for value in vars(recipe).values()
                if isinstance(value, type) and issubclass(value, ConanFile) and value is not ConanFile]
    return found()


sys.dont_write_bytecode = True
path, work = sys.argv[1:]
recipe = load_recipe(path)
recipe.recipe_folder = os.path.dirname(path)
recipe.export_sources_folder = recipe.source_folder = os.path.join(work, "sources")
recipe.package_folder = os.path.join(work, "package")
recipe.set_version()
recipe.export_sources()
recipe.layout()
recipe.requirements()
recipe.validate()
recipe.package_id()
recipe.package()
recipe.package_info()
assert recipe.package_type == "header-library" and standards == [20], standards
assert [reference.split("/")[0] for reference in recipe.required] == ["xsimd"], recipe.required
assert recipe.cpp_info.libdirs == [] and recipe.cpp_info.bindirs == []
assert recipe.cpp_info.properties["cmake_target_name"] == "prefopt::prefopt"
for file in recipe.cpp_info.properties["cmake_build_modules"] + ["include/prefopt/prefopt.hpp", "licenses/LICENSE"]:
    assert os.path.isfile(os.path.join(recipe.package_folder, file)), f"no {file} in the package"
load_recipe(os.path.join(os.path.dirname(path), "test_package", "conanfile.py"))
print(recipe.version)
