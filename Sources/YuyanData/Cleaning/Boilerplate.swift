/// What stands around the text on Chinese web pages.
enum Boilerplate {
    /// Phrases that no line of up to sixty characters holds unless it is furniture.
    static let phrases = [
        "版权所有", "著作权所有", "All Rights Reserved", "未经授权不得", "未经授权禁止", "未经许可不得", "未经许可禁止", "未经书面授权", "转载请注明出处", "转载请注明来源",
        "如需转载请", "侵权请联系", "如有侵权", "ICP备", "ICP证", "公网安备", "增值电信业务经营许可证", "互联网新闻信息服务许可证", "网络文化经营许可证", "违法和不良信息举报",
        "扫码关注", "扫一扫关注", "扫描二维码", "扫描下方二维码", "扫描上方二维码", "长按识别二维码", "长按二维码", "识别图中二维码", "点击关注", "点击上方蓝字", "点击蓝字关注", "点击下方名片",
        "关注公众号", "关注微信公众号", "关注官方微信", "关注我们的微信", "官方微信公众号", "点击阅读原文", "点击查看原文", "点击查看更多", "点击查看全文", "点击加载更多", "阅读全文>>",
        "立即下载APP", "下载客户端", "分享到微信", "分享到朋友圈", "分享到微博", "分享到QQ", "一键分享", "分享至：",
        "责任编辑：", "责任编辑:", "（责任编辑", "责编：", "本文来源：", "本文来源:", "来源：网络", "免责声明：", "免责声明:", "特别声明：以上",
        "返回顶部", "返回首页", "回到顶部", "设为首页", "加入收藏夹", "网站地图", "友情链接", "相关阅读：", "相关推荐：", "推荐阅读：", "延伸阅读：", "热门推荐：", "猜你喜欢",
        "大家都在看", "展开阅读全文", "展开剩余", "当前位置：", "您的位置：", "您现在的位置", "你的位置：", "上一篇：", "下一篇：", "上一篇:", "下一篇:", "发表评论", "登录后可评论", "登录后评论",
        "暂无评论", "网友评论仅供", "浏览器版本过低", "请开启JavaScript", "本站仅提供存储服务", "Powered by",
    ]

    /// Whole lines that are buttons and headings of navigation.
    private static let buttons: Set<String> = [
        "首页", "主页", "登录", "登陆", "注册", "登录/注册", "登录 注册", "登录|注册", "退出", "上一页", "下一页", "上一篇", "下一篇", "末页", "尾页", "返回", "返回列表", "更多", "更多>>", "更多»",
        "评论", "分享", "分享到", "分享到：", "收藏", "收藏本文", "点赞", "打印", "打印本页", "关闭", "关闭窗口", "搜索", "站内搜索", "举报", "投诉", "订阅", "关注", "已关注", "下载", "播放", "全文",
        "收起",
        "展开", "展开全文", "阅读原文", "查看更多", "查看全文", "加载更多", "加载中...", "联系我们", "关于我们", "网站首页", "繁體", "繁体", "简体", "English", "广告", "字号", "大 中 小", "相关阅读",
        "相关推荐",
        "相关文章", "推荐阅读", "热门文章", "热门推荐", "最新文章", "热点新闻", "最新评论", "全部评论", "扫一扫",
    ]

    /// What a trail of links speaks of.
    private static let navigation = KeywordMatcher([
        "首页", "主页", "关于", "联系", "登录", "登陆", "注册", "新闻", "资讯", "论坛", "网站", "频道", "专题", "帮助", "收藏", "更多", "上一", "下一", "导航", "会员",
    ])

    /// A button, or a trail of short items: `首页 > 新闻 > 国内`, `首页 | 关于我们 | 联系我们`. Rows of a Markdown table begin with a bar and are none.
    static func isFurniture(_ content: UnsafeBufferPointer<UInt8>) -> Bool {
        if content.count <= 30, buttons.contains(String(decoding: content, as: UTF8.self)) { return true }
        guard content.first != UInt8(ascii: "|"), content.first != UInt8(ascii: ">") else { return false }
        var separators = 0
        var item = 0
        var index = 0
        while index < content.count {
            let (value, length) = scalar(in: content, at: index)
            index += length
            switch value {
            case 0x7C, 0xFF5C, 0x3E, 0xBB, 0x203A:
                // An item is there before each separator (`>>` is one), and a short one.
                if item > 0 { separators += 1 }
                item = 0
            case 0x20, 0x3000, 0xA0: break
            case 0x3002, 0xFF0C, 0xFF01, 0xFF1F, 0x3B, 0x3D, 0x28, 0x7B: return false
            default:
                item += 1
                if item > 8 && separators < 3 { return false }
            }
        }
        return separators >= 2 && navigation.contains(content)
    }
}
