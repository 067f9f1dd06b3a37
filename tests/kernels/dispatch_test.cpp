// Listing, forcing and proving the instruction set in use.
#include <gtest/gtest.h>
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstring>
#include <string>

#include "hearth/cpu.h"
#include "kernels/cpu_features.h"
#include "kernels/dispatch.h"

namespace hearth {
namespace {

/// Puts the set in use back after a test.
class Dispatch : public ::testing::Test {
 protected:
  ~Dispatch() override { (void)force_isa(before_); }
  std::string before_ = active_isa();
};

TEST_F(Dispatch, ScalarIsAlwaysThereFirstAndUsable) {
  const auto isas = list_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_STREQ(isas[0].name, "scalar");
  EXPECT_TRUE(isas[0].usable);
}

TEST_F(Dispatch, ExactlyOneSetIsActiveAndItIsUsable) {
  int active = 0;
  for (const IsaInfo& isa : list_isas()) {
    if (!isa.active) continue;
    ++active;
    EXPECT_TRUE(isa.usable);
    EXPECT_STREQ(isa.name, active_isa());
  }
  EXPECT_EQ(active, 1);
}

TEST_F(Dispatch, SaysWhereMatrixTilesMultiplyPrompts) {
  const auto isas = list_isas();
  for (size_t i = 0; i < isas.size(); ++i) {
    const kernels::KernelTable* table = kernels::isa_table(static_cast<int>(i));
    EXPECT_EQ(isas[i].wide_products, table != nullptr && table->matmul.wide.multiply != nullptr) << isas[i].name;
  }
}

TEST_F(Dispatch, ForcingSwitchesTheTableInUse) {
  for (int i = 0; i < kernels::isa_count(); ++i) {
    const kernels::IsaRow& row = kernels::isa_row(i);
    const Status forced = force_isa(row.name);
    if (kernels::isa_table(i) == nullptr) {
      ASSERT_FALSE(forced.ok());
      EXPECT_EQ(forced.error().code, ErrorCode::kUnsupported);
      continue;
    }
    ASSERT_TRUE(forced.ok());
    EXPECT_EQ(&kernels::kernels(), kernels::isa_table(i));
    EXPECT_STREQ(active_isa(), row.name);
  }
}

TEST_F(Dispatch, EachSetRunsItsOwnKernels) {
  constexpr auto kType = static_cast<int>(kernels::TypeIndex::kQ4_K);
  constexpr auto kKind = static_cast<int>(kernels::PanelKind::kScale32Min);
  for (int i = 1; i < kernels::isa_count(); ++i) {
    const kernels::KernelTable* table = kernels::isa_table(i);
    if (table == nullptr) continue;
    const kernels::KernelTable* base = nullptr;
    for (int j = 0; j < i; ++j) {
      if (std::string(kernels::isa_row(i).base) == kernels::isa_row(j).name) base = kernels::isa_table(j);
    }
    ASSERT_NE(base, nullptr) << table->isa;
    const kernels::MatmulKernels &own = table->matmul, &others = base->matmul;
    const bool attends = table->attend_page != base->attend_page;
    // Products share private layouts: a set has all of them or none.
    const int n_products = (own.put_block != others.put_block) + (own.decode[kType] != others.decode[kType]) +
                           (own.multiply[kKind] != others.multiply[kKind]) + (table->int8_peak != base->int8_peak);
    EXPECT_TRUE(n_products == 0 || n_products == 4) << table->isa << ": " << n_products;
    // Wide products read the panels of their set.
    const bool widens = own.wide.expand[kKind] != others.wide.expand[kKind];
    EXPECT_EQ(widens, own.wide.multiply != others.wide.multiply) << table->isa;
    EXPECT_TRUE(n_products == 0 || own.wide.least_cols == 0 || widens) << table->isa;
    // A set without vectors of its own (its base has the same registers) only multiplies: codes, or many columns at
    // once.
    if (std::string(kernels::isa_row(i).base) == "scalar") {
      EXPECT_TRUE(attends && n_products == 4) << table->isa;
    } else {
      EXPECT_TRUE(n_products == 4 || widens) << table->isa;
    }
  }
}

#if defined(__x86_64__)
TEST_F(Dispatch, TilesAreKnownAndUsedWithPermission) {
  EXPECT_TRUE(kernels::cpu_features_known("AVX512-BF16 AMX-TILE AMX-BF16"));
#if defined(__linux__)
  if (!kernels::cpu_has("AMX-TILE")) GTEST_SKIP() << "this machine has no tiles, or the system does not lend them";
  constexpr long kGetPermission = 0x1022;
  constexpr int kTileData = 18;
  uint64_t permitted = 0;
  ASSERT_EQ(syscall(SYS_arch_prctl, kGetPermission, &permitted), 0);
  EXPECT_EQ(permitted >> kTileData & 1, 1u);
#endif
}
#endif

TEST_F(Dispatch, RowsStandBehindTheirBaseAndNeedFeaturesThatTheTableKnows) {
  for (int i = 0; i < kernels::isa_count(); ++i) {
    const kernels::IsaRow& row = kernels::isa_row(i);
    EXPECT_TRUE(kernels::cpu_features_known(row.needs)) << row.needs;
    EXPECT_EQ(kernels::isa_table(i) != nullptr, kernels::cpu_has(row.needs));
    EXPECT_EQ(row.base == nullptr, i == 0);
    int before = 0;
    for (int j = 0; j < i; ++j) before += std::string(row.base) == kernels::isa_row(j).name ? 1 : 0;
    EXPECT_EQ(before, i == 0 ? 0 : 1) << row.name;
  }
  EXPECT_FALSE(kernels::cpu_features_known("AVX2 beads"));
  EXPECT_FALSE(kernels::cpu_has("beads"));
  EXPECT_TRUE(kernels::cpu_has(""));
}

TEST_F(Dispatch, AnUnknownNameChangesNothing) {
  const Status forced = force_isa("abacus");
  ASSERT_FALSE(forced.ok());
  EXPECT_EQ(forced.error().code, ErrorCode::kNotFound);
  EXPECT_NE(forced.error().message.find("abacus"), std::string::npos);
  EXPECT_EQ(before_, active_isa());
}

/// Names of the empty entries of a table, with the tensor type where there is one.
std::string empty_entries(const kernels::KernelTable& t) {
  std::string names;
  const auto check = [&names](bool filled, const std::string& name) { names += filled ? "" : name + " "; };
#define HEARTH_CHECK(entry) check(t.entry != nullptr, #entry)
  HEARTH_CHECK(isa), HEARTH_CHECK(rms_norm), HEARTH_CHECK(layer_norm), HEARTH_CHECK(rope_pairs);
  HEARTH_CHECK(rope_halves), HEARTH_CHECK(gate_mul), HEARTH_CHECK(add), HEARTH_CHECK(scale), HEARTH_CHECK(axpy);
  HEARTH_CHECK(dot), HEARTH_CHECK(soft_cap), HEARTH_CHECK(softmax), HEARTH_CHECK(int8_peak), HEARTH_CHECK(read_once);
  HEARTH_CHECK(attend_page), HEARTH_CHECK(attend_run);
  HEARTH_CHECK(matmul.multiply_floats), HEARTH_CHECK(matmul.pack_acts), HEARTH_CHECK(matmul.put_block);
#undef HEARTH_CHECK
  for (const kernels::KvTypeKernels& type : t.kv_types) {
    check(type.store_key && type.store_value && type.load_key && type.load_value && type.turn_keys, "a KV type");
  }
  const int n_floats = static_cast<int>(kernels::PanelKind::kFloat);
  const kernels::WideKernels& wide = t.matmul.wide;
  const bool has_wide = wide.least_cols > 0;
  check(!has_wide || (wide.pack != nullptr && wide.multiply != nullptr), "wide");
  for (int kind = 0; kind < kernels::kPanelKinds; ++kind) {
    check(!has_wide || (wide.expand[kind] != nullptr) == (kind != n_floats), "expand " + std::to_string(kind));
    check((t.matmul.multiply[kind] != nullptr) == (kind != n_floats), "multiply " + std::to_string(kind));
  }
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = t.types[type];
    const bool is_float = traits.kind == kernels::PanelKind::kFloat;
    const std::string of = " of " + std::to_string(type);
    check(traits.dequantize != nullptr, "dequantize" + of);
    check((traits.unpack != nullptr) == !is_float, "unpack" + of);
    check(traits.block_size > 0 && traits.block_bytes > 0, "sizes" + of);
    check(traits.kind < kernels::PanelKind::kCount, "kind" + of);
    check(t.matmul.decode[type] != nullptr, "decode" + of);
    check((t.matmul.dot_rows[type] != nullptr) == is_float, "dot_rows" + of);
    const int most = t.matmul.dot_most_cols[type];
    check((t.matmul.dot_columns[type] != nullptr) == (most > 0), "dot_columns" + of);
    check(most >= 0 && most <= kernels::kGroupCols && (!is_float || most == 0), "dot_most_cols" + of);
  }
  return names;
}

TEST_F(Dispatch, EveryTableIsComplete) {
  for (int i = 0; i < kernels::isa_count(); ++i) {
    const kernels::KernelTable* t = kernels::isa_table(i);
    if (t == nullptr) continue;
    EXPECT_EQ(empty_entries(*t), "") << t->isa;
  }
  kernels::KernelTable broken = *kernels::isa_table(0);
  broken.attend_run = nullptr;
  broken.matmul.decode[5] = nullptr;
  broken.matmul.wide.least_cols = 32;
  broken.matmul.wide.pack = nullptr;
  broken.matmul.wide.expand[1] = nullptr;
  EXPECT_NE(empty_entries(broken).find("attend_run wide expand 1 "), std::string::npos);
  EXPECT_NE(empty_entries(broken).find("decode of 5 "), std::string::npos);
}

}  // namespace
}  // namespace hearth
